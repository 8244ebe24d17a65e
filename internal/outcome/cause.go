package outcome

import (
	"errors"
	"fmt"

	"milepost/clients"
	"milepost/internal/store"
)

// CauseOf is what many records share that fail by the same error. A rejected token is
// rejected for whatever was tried.
func CauseOf(err error) store.Cause {
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok {
		if store.Unavailable(err) {
			return store.Cause{Reason: reasonStorage}
		}
		return store.Cause{Reason: reasonDefect}
	}
	c := store.Cause{Vendor: failed.API, Status: failed.Status, Reason: string(failed.Reason), Operation: failed.Operation}
	switch failed.Reason {
	case clients.Unauthorized, clients.Inactive:
		c.Operation = ""
	}
	if failed.Foreign {
		c.Reason = reasonForeign
	}
	return c
}

// Reasons of failures that are no client's.
const (
	reasonStorage = "storage"
	reasonDefect  = "defect"
	reasonForeign = "foreign" // something else answered in the vendor's place
)

// Advice says in a sentence what a cause is, and what a person can do about it.
func Advice(c store.Cause) (what, todo string) {
	switch c.Outcome {
	case store.Auth:
		return rejected(c)
	case store.Invalid:
		return impossible(c)
	case store.Unclear:
		return fmt.Sprintf("The answer to %s was lost, so it is not known whether it took effect", c.Operation),
			fmt.Sprintf("Look at %s whether it took effect, then say so. Until then, Milepost does not send it again.", vendor(c))
	case store.Stopped:
		return fmt.Sprintf("The automation %s sent too many requests within an hour", c.Automation),
			"Probably two automations answer each other. Change one of them, then release the requests. Otherwise they go on by themselves within an hour."
	}
	switch {
	case c.Reason == reasonStorage:
		return "Milepost's own database did not answer", "Look whether the disk is full or PostgreSQL is down. Milepost retries by itself."
	case c.Reason == reasonDefect:
		return "Milepost made a mistake of its own", "The detail of the sample and the log say more. Please report it. Milepost retries by itself."
	case c.Reason == reasonForeign:
		return fmt.Sprintf("Something else answers in %s's place", vendor(c)), fmt.Sprintf("Look at the proxy or firewall between Milepost and %s, and at the base URL in the settings. Milepost retries by itself.", vendor(c))
	case c.Status != 0:
		return fmt.Sprintf("%s fails to %s (%d)", vendor(c), c.Operation, c.Status), fmt.Sprintf("Milepost retries by itself. If it lasts, look at %s's status page.", vendor(c))
	case c.Vendor != "":
		return fmt.Sprintf("%s does not answer to %s", c.Vendor, c.Operation), fmt.Sprintf("Milepost retries by itself. If it lasts, look at the network and at %s's status page.", c.Vendor)
	}
	return "Calls failed", "Milepost retries by itself. The detail of the sample says more."
}

func rejected(c store.Cause) (what, todo string) {
	switch clients.Reason(c.Reason) {
	case clients.Inactive:
		return "HighLevel does not serve the location: it is paused or not paid", "Activate the location at HighLevel. Milepost goes on by itself then."
	case clients.Forbidden:
		return fmt.Sprintf("%s does not allow the token to %s", vendor(c), c.Operation),
			fmt.Sprintf("Give the token the scope that the detail of the sample names, or connect the location again. Then run %s, and retry.", "`milepost check`")
	}
	return fmt.Sprintf("%s rejects the token", vendor(c)), "Connect the location again, or replace its token. `milepost check` says which token is rejected. Milepost retries until it works."
}

func impossible(c store.Cause) (what, todo string) {
	switch {
	case c.Field != "":
		return fmt.Sprintf("The automation %s cannot fill in its field %s", c.Automation, c.Field),
			"The detail of the sample says what the record holds. Correct the record in HighLevel, or the field in the automation, then retry."
	case c.Automation != "" && c.Vendor != "":
		return fmt.Sprintf("%s rejects what the automation %s asks for: %s (%d)", c.Vendor, c.Automation, c.Operation, c.Status),
			fmt.Sprintf("The detail of the sample has %s's own words. Correct the record in HighLevel, or the automation, then retry.", c.Vendor)
	case c.Vendor != "":
		return fmt.Sprintf("%s refuses to %s (%d)", c.Vendor, c.Operation, c.Status), fmt.Sprintf("The detail of the sample has %s's own words. Correct the record, then retry.", c.Vendor)
	case c.Automation != "":
		return fmt.Sprintf("The automation %s cannot be carried out as the record is", c.Automation), "The detail of the sample says why. Correct the record in HighLevel, or the automation, then retry."
	}
	return "Milepost cannot do it as the records are", "The detail of the sample says why. Correct the record or the automation, then retry."
}

func vendor(c store.Cause) string {
	if c.Vendor == "" {
		return "the vendor"
	}
	return c.Vendor
}
