package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
)

// secretKey matches the keys of fields that hold credentials.
var secretKey = regexp.MustCompile(`(?i)^(e?auth|authorization|credentials?|jwt|.*(token|secret|password|passwd|api_?key|private_?key))$`)

// WithoutSecrets returns a JSON answer without the fields that hold credentials, such as
// auth and accessToken, at every depth. It does not change how numbers are written.
func WithoutSecrets(answer json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("the answer is no JSON") // the cause would quote it
	}
	return json.Marshal(withhold(value))
}

func withhold(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if secretKey.MatchString(key) {
				delete(v, key)
				continue
			}
			v[key] = withhold(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = withhold(inner)
		}
	}
	return value
}
