// Package checkup is what the doctors of both sides look at: each check says how something is, what is
// wrong with it, and the command that mends it.
package checkup

import (
	"encoding/json"
	"fmt"
	"io"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/visible"
)

// State is how something was found.
type State string

// The states. What is only a warning leaves the exit code at 0.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	What    string        `json:"what"`
	State   State         `json:"state"`
	Good    bool          `json:"good"`   // it is ok
	Detail  string        `json:"detail"` // how it is, or what is wrong
	Fix     string        `json:"fix,omitempty"`
	Engines []infer.Trial `json:"engines,omitempty"`
}

// Good is a finding without a fault.
func Good(what, detail string) Finding {
	return Finding{What: what, State: OK, Good: true, Detail: detail}
}

// Bad is a finding that keeps something from working; fix is the command that mends it.
func Bad(what string, err error, fix string) Finding {
	return Finding{What: what, State: Fail, Detail: err.Error(), Fix: fix}
}

// Doubtful is a finding that will matter later, or matters little.
func Doubtful(what, detail, fix string) Finding {
	return Finding{What: what, State: Warn, Detail: detail, Fix: fix}
}

// Of is Bad where there is an error, and else Good.
func Of(what string, err error, good, fix string) Finding {
	if err != nil {
		return Bad(what, err, fix)
	}
	return Good(what, good)
}

// Tell prints findings for people or, where json is asked for, for programs; its error says that
// something is not as it should be.
func Tell(w io.Writer, all []Finding, asJSON bool) error {
	count := map[State]int{}
	for _, f := range all {
		count[f.State]++
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			visible.Fprintf(w, "%-4s %s: %s\n", f.State, f.What, f.Detail)
			if f.Fix != "" {
				visible.Fprintf(w, "       %s\n", f.Fix)
			}
			for _, t := range f.Engines {
				visible.Fprintf(w, "       %-18s %s\n", t.Engine, trial(t))
			}
		}
		warnings := "warnings"
		if count[Warn] == 1 {
			warnings = "warning"
		}
		visible.Fprintf(w, "\n%d ok, %d %s, %d failed\n", count[OK], count[Warn], warnings, count[Fail])
	}
	if count[Fail] > 0 {
		return cli.Incompletef("%d of %d checks failed", count[Fail], len(all))
	}
	return nil
}

func trial(t infer.Trial) string {
	if t.Reason != "" {
		return t.Reason
	}
	return fmt.Sprintf("%.1f ms on %s, golden case: %s", t.Ms, t.Device, t.Golden)
}
