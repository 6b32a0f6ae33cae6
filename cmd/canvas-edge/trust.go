package main

import (
	"fmt"
	"strings"

	"cloudcanvas/cmd/internal/checkup"
	"cloudcanvas/edge"
	"cloudcanvas/shared/signed"
)

// unpinned says what a device risks that trusts no keys over a broker elsewhere; empty: nothing.
func unpinned(cfg edge.Config) string {
	if len(cfg.Cloud.TrustedKeys) > 0 || checkup.Loopback(cfg.Cloud.URL) {
		return ""
	}
	return "no keys of the cloud are trusted (cloud.trusted_keys): the device believes every receipt, offer of a model and query that the broker delivers, and frees its buffer on a forged one"
}

func lookAtTrust(cfg edge.Config) checkup.Finding {
	const what = "signatures"
	if note := unpinned(cfg); note != "" {
		return checkup.Doubtful(what, note, "canvas-cloud keys show signing.pub    # its line belongs into cloud.trusted_keys; docs/operations.md: signed messages")
	}
	keys, err := signed.Trusted(cfg.Cloud.TrustedKeys)
	if err != nil {
		return checkup.Bad(what, err, "correct cloud.trusted_keys")
	}
	if len(keys) == 0 {
		return checkup.Good(what, "no keys of the cloud are trusted; its broker is on this machine")
	}
	ids := make([]string, len(keys))
	for n, key := range keys {
		ids[n] = signed.IDOf(key).String()
	}
	return checkup.Good(what, fmt.Sprintf("what is not signed by %s is refused", strings.Join(ids, " or ")))
}
