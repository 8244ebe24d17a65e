package highlevel

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// jwt makes a token of the shape of HighLevel's. Its signature is noise: a
// client has no key to verify it with, and the fake looks tokens up.
func jwt(g *grant, issued, expires time.Time) string {
	var noise [96]byte
	rand.Read(noise[:])
	encode := base64.RawURLEncoding.EncodeToString
	header := fakehttp.JSON(map[string]any{"alg": "RS256", "typ": "JWT"})
	claims := fakehttp.JSON(map[string]any{
		"authClass": g.class, "authClassId": g.place(), "primaryAuthClassId": g.place(),
		"source": "INTEGRATION", "sourceId": g.app.ClientID, "channel": "OAUTH",
		"oauthMeta": map[string]any{"scopes": g.scopes, "client": g.app.ID()},
		"iat":       issued.Unix(), "exp": expires.Unix(), "uniqueId": fakehttp.UUID(),
	})
	return encode(header) + "." + encode(claims) + "." + encode(noise[:])
}
