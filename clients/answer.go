package clients

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

var errTooLarge = errors.New("the answer is larger than 8 MiB")

// wholeAnswer reads each answer to its end inside the round trip. So a connection that
// breaks in the middle is a failed try like any other, and the size limit holds for every
// reader.
type wholeAnswer struct{ next http.RoundTripper }

func (w wholeAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// CloseIdleConnections closes the pool's idle connections; http.Client calls it.
func (w wholeAnswer) CloseIdleConnections() {
	if c, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
