// Package measure runs models over labelled data and says what they are worth:
//
//	pictures, scenes, films ─▶ models (shared/infer) ─▶ scores (lab/evaluate) ─▶ a table, report.json, pictures of the worst
//
// A cascade is a device's model with a larger one in the cloud, measured by the bytes between them. Results
// that other programs made are scored without a model.
package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

// Options are what all measurements take.
type Options struct {
	Model string // what is measured; empty: the first of its task
	Open  func(ctx context.Context, name string, task model.Task) (*infer.Network, model.Model, infer.Report, error)
	Out   string // folder for the report and pictures; empty: none
	Worst int    // how many of the worst cases are pictured
	JSON  bool   // rather than a table
	Say   io.Writer
}

// Mistake is an error in what was asked for, rather than in measuring it.
type Mistake struct{ error }

func (m Mistake) Unwrap() error { return m.error }

func mistake(err error) error { return Mistake{err} }

func mistakef(format string, args ...any) error { return Mistake{fmt.Errorf(format, args...)} }

// finish tells the report: as a table or as JSON, and as a file where there is a folder for it.
func (o Options) finish(report any, table func(io.Writer)) error {
	if o.Out != "" {
		if err := durable.WriteJSON(filepath.Join(o.Out, "report.json"), report); err != nil {
			return err
		}
	}
	if o.JSON {
		e := json.NewEncoder(o.Say)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	table(o.Say)
	if o.Out != "" {
		fmt.Fprintf(o.Say, "\nreport.json and pictures are in %s\n", o.Out)
	}
	return nil
}

// maxPicture bounds a picture before it is decoded.
const maxPicture = 1 << 28

// figure is a measured share as a table shows it; -1 is what could not be measured.
func figure(v float64) string {
	if v < 0 {
		return "    -"
	}
	return fmt.Sprintf("%.3f", v)
}
