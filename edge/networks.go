package edge

import (
	"context"
	"log/slog"

	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

// networks are the loaded models of a device, each shared by all who name it.
type networks struct {
	config Models
	models *model.Repository
	log    *slog.Logger
	spare  int // frames more than a network looks at, so that it never waits
	open   map[string]*loaded
}

type loaded struct {
	*infer.Network
	model  model.Model
	report infer.Report
	turns  *turns // of the streams that share it
}

// get loads a model where it is not loaded yet.
func (n *networks) get(ctx context.Context, name string) (*loaded, error) {
	if l := n.open[name]; l != nil {
		return l, nil
	}
	m, err := n.models.Find(name)
	if err != nil {
		return nil, err
	}
	net, report, err := infer.Open(ctx, m, n.config.Engine, n.config.Layout, n.log)
	if err != nil {
		return nil, err
	}
	layout := net.Layout()
	l := &loaded{net, m, report, newTurns(layout.Sessions*max(layout.MaxBatch, 1) + n.spare)}
	n.open[name] = l
	return l, nil
}

func (n *networks) close() {
	for _, l := range n.open {
		l.Close()
	}
}

// Reports say which engine runs each loaded model, and what became of the others.
func (a *Agent) Reports() []infer.Report {
	var reports []infer.Report
	for _, l := range a.networks.open {
		reports = append(reports, l.report)
	}
	return reports
}
