package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

type healthCmd struct {
	Listen string `default:":8080" env:"MILEPOST_LISTEN" help:"The public listener to ask."`
}

// Run asks the Milepost on this machine whether it is ready: the health check
// of an image that holds no shell.
func (c *healthCmd) Run(ctx context.Context) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("MILEPOST_LISTEN: %w", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	return ask(ctx, "http://"+net.JoinHostPort(host, port)+"/readyz", 2*time.Second)
}

// ask fails unless a running Milepost answers a health check with 200 in time.
func ask(ctx context.Context, url string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("milepost does not answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("milepost is not ready (%s)", res.Status)
	}
	return nil
}
