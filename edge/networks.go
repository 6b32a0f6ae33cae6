package edge

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
)

// networks are the loaded models of a device, each shared by all who name it.
type networks struct {
	config Models
	models *model.Repository
	log    *slog.Logger
	store  *modelupdate.Store // of versions that came from the cloud; nil: there are none
	spare  int                // frames more than a network looks at, so that it never waits
	open   map[string]*loaded
}

type loaded struct {
	*infer.Network
	model  model.Model
	report infer.Report
	share  *fairShare // of the streams that share it

	runs, failed atomic.Int64 // of pictures, since it was loaded
}

// get loads a model where it is not loaded yet: the version that came from the cloud, or that which
// the device came with. One from the cloud that can't be loaded is taken back.
func (n *networks) get(ctx context.Context, name string) (*loaded, error) {
	if l := n.open[name]; l != nil {
		return l, nil
	}
	m, delivered, err := n.find(name)
	if err != nil {
		return nil, err
	}
	net, report, err := infer.Open(ctx, m, n.config.Engine, n.config.Layout, n.log)
	if err != nil && delivered && ctx.Err() == nil {
		if err := n.store.Refuse(name, m.Version, err.Error()); err != nil {
			return nil, err
		}
		return n.get(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	layout := net.Layout()
	l := &loaded{Network: net, model: m, report: report, share: newFairShare(layout.Sessions*max(layout.MaxBatch, 1) + n.spare)}
	n.open[name] = l
	return l, nil
}

func (n *networks) find(name string) (m model.Model, delivered bool, err error) {
	if n.store != nil {
		if m, ok := n.store.Model(name); ok {
			return m, true, nil
		}
	}
	if n.models == nil {
		return m, false, errors.New("there is no model repository")
	}
	m, err = n.models.Find(name)
	return m, false, err
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
		r := l.report
		r.Candidates, r.ThrownAway = l.Candidates()
		reports = append(reports, r)
	}
	return reports
}
