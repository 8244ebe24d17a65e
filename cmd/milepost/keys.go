package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"milepost/internal/app"
	"milepost/internal/secret"
)

type keysCmd struct {
	Generate generateKeyCmd `cmd:"" help:"Print a new encryption key for MILEPOST_ENCRYPTION_KEYS."`
	Drop     dropKeysCmd    `cmd:"" help:"Delete stored tokens whose key is lost for good. Then connect their locations again."`
	Rotate   rotateKeysCmd  `cmd:"" help:"Re-encrypt every stored token with the first key, also while Milepost runs."`
}

type generateKeyCmd struct{}

// Run prints a key.
func (generateKeyCmd) Run() error {
	_, err := fmt.Println(secret.GenerateKey())
	return err
}

type rotateKeysCmd struct {
	app.Config `embed:"" group:"Settings"`
}

// Run puts a new key in front of the key file, or takes the one that stands
// first in the setting, and encrypts everything under it.
func (c *rotateKeysCmd) Run(ctx context.Context) error {
	return c.rotate(ctx, os.Stdout)
}

func (c *rotateKeysCmd) rotate(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		if state.Ring.FromFile() {
			if err := state.Ring.AddKey(); err != nil {
				return fmt.Errorf("add a key: %w", err)
			}
		}
		n, err := state.Connections.EncryptAgain(ctx)
		fmt.Fprintf(out, "%d secrets are now encrypted under %s\n", n, state.Ring.Primary())
		if err == nil && !state.Ring.FromFile() {
			fmt.Fprintln(out, "Restart every milepost serve with the same MILEPOST_ENCRYPTION_KEYS and run this once more. Then remove the older keys.")
		}
		return err
	})
}

type dropKeysCmd struct {
	consent
	app.Config `embed:"" group:"Settings"`
}

// Run drops what nobody can read any more.
func (c *dropKeysCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		lost, err := state.Connections.Lost(ctx)
		if err != nil {
			return err
		}
		if goOn, err := c.ask(os.Stdout,
			fmt.Sprintf("%d stored tokens whose key is not among the encryption keys would be deleted, and their locations would have to be connected again.", len(lost)),
			"If you have the key, put it into MILEPOST_ENCRYPTION_KEYS or the data directory instead. Nobody would get mail."); err != nil || !goOn {
			return err
		}
		n, locations, err := state.Connections.DropLost(ctx)
		fmt.Printf("deleted %d stored tokens whose key is lost\n", n)
		for _, id := range locations {
			fmt.Printf("connect again: %s\n", id)
		}
		return err
	})
}
