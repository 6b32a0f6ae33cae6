// Package delivery brings models to the edges, and views of the ground (views.go). What an edge shall run is set by operators; what it has
// and what it misses stands in its status, which the MQTT broker retains. So a process that delivers
// keeps nothing: any other can go on where it stopped.
//
//	desired versions (ZooKeeper) ─┐
//	                              ├─▶ offer ─▶ down/models ─▶ edge ─┐
//	statuses (MQTT) ──────────────┴─▶ parts ─▶                      │
//	    ▲                                                           │
//	    └───────── "model.onnx is missing from byte 65536 on" ◀─────┘
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/release"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// lease is what the process that delivers owns; others stand by. The name is an old word that ZooKeeper keeps.
const lease = "courier"

// Objects is the object store.
type Objects interface {
	release.Objects
	Range(ctx context.Context, key string, offset, length int64) ([]byte, error)
}

// Group is the part of coord.Coordinator that delivery needs.
type Group interface {
	Documents
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
}

// Broker is the MQTT broker: statuses of edges come in, messages go out.
type Broker interface {
	Subscribe(filter string, qos byte, handle func(mqtt.Message))
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}

// Parts are what delivery is made of.
type Parts struct {
	Group   Group
	Objects Objects
	Views   Views // of the ground; nil: there are none
	// Dial connects to the MQTT broker, once this process has the lease; leave ends that.
	Dial func(ctx context.Context) (broker Broker, leave func(), err error)
	Log  *slog.Logger
}

// Run delivers whenever this process holds the lease, until ctx ends.
func Run(ctx context.Context, p Parts) error {
	for {
		err := p.Group.Own(ctx, lease, func(ctx context.Context, _ coord.Lease) error {
			broker, leave, err := p.Dial(ctx)
			if err != nil {
				return err
			}
			defer leave()
			return (&service{Parts: p, broker: broker, edges: map[string]event.Status{}, changed: make(chan struct{}, 1)}).work(ctx)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, coord.ErrLost) {
			p.Log.Error("bringing models to edges failed; this process tries again", telemetry.Err, err)
		}
		if err := retry.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// service is one time under the lease.
type service struct {
	Parts
	broker  Broker
	desired DesiredModels

	mu      sync.Mutex
	edges   map[string]event.Status // whose status has changed since it was looked at last
	changed chan struct{}

	known map[string]event.Status // the latest of each edge that has models or asks for views and is online
	files map[string][]event.ModelFile
	asked map[string][]event.WantedViews // the last questions of each edge, which are answered once
}

// maxConcurrentEdges is how many edges are served side by side.
const maxConcurrentEdges = 8

func (s *service) work(ctx context.Context) error {
	s.known, s.files, s.asked = map[string]event.Status{}, map[string][]event.ModelFile{}, map[string][]event.WantedViews{}
	desired, err := s.Group.Document(document).Watch(ctx)
	if err != nil {
		return err
	}
	s.broker.Subscribe(event.StatusFilter, 1, s.setStatus)
	for {
		var changed map[string]event.Status
		select {
		case value, ok := <-desired:
			if !ok {
				return ctx.Err()
			}
			if s.desired, err = parse(value); err != nil {
				s.Log.Error("what edges shall run can't be read; they get no models", telemetry.Err, err)
			}
			changed = s.known // all may want something else now
		case <-s.changed:
			changed = s.take()
		case <-ctx.Done():
			return ctx.Err()
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(maxConcurrentEdges)
		for edge, status := range changed {
			replies, views := s.replies(ctx, edge, status), s.wantedViews(edge, status)
			group.Go(func() error {
				s.serve(ctx, edge, replies)
				s.sendViews(ctx, edge, views)
				return nil
			})
		}
		group.Wait()
	}
}

// setStatus takes a status. It must not wait: the client's messages come one by one.
func (s *service) setStatus(m mqtt.Message) {
	edge, err := event.ParseStatusTopic(m.Topic)
	if err != nil {
		return
	}
	status, err := event.ParseStatus(m.Payload)
	if err != nil {
		return // the bridge logs it
	}
	s.mu.Lock()
	s.edges[edge] = status
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *service) take() map[string]event.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.edges
	s.edges = map[string]event.Status{}
	for edge, status := range changed {
		if status.Status != event.Online || len(status.Models) == 0 && len(status.References) == 0 {
			delete(s.known, edge)
			delete(s.asked, edge)
			delete(changed, edge)
			continue
		}
		s.known[edge] = status
	}
	return changed
}

// reply is what an edge is sent: an offer, or bytes of a file.
type reply struct {
	model   string
	version string
	files   []event.ModelFile // of an offer
	want    *event.WantedPart // of bytes
}

// replies says what an edge in that state needs.
func (s *service) replies(ctx context.Context, edge string, status event.Status) (all []reply) {
	for _, m := range status.Models {
		version, set := s.desired.For(edge, m.Name)
		switch {
		case !set || version == m.Version && m.Want == nil || version != "" && version == m.Refused:
		case m.Want != nil && m.Want.Version == version:
			all = append(all, reply{model: m.Name, version: version, want: m.Want})
		default:
			files, err := s.filesOf(ctx, m.Name, version)
			if err != nil {
				s.Log.Error("a version of a model can't be offered to an edge", "edge", edge, "model", m.Name, "version", version, telemetry.Err, err)
				continue
			}
			all = append(all, reply{model: m.Name, version: version, files: files})
		}
	}
	return all
}

// filesOf remembers what a version consists of: it never changes.
func (s *service) filesOf(ctx context.Context, model, version string) ([]event.ModelFile, error) {
	if version == "" {
		return nil, nil
	}
	key := model + "@" + version
	if files, ok := s.files[key]; ok {
		return files, nil
	}
	files, err := release.Library{Objects: s.Objects}.Files(ctx, model, version)
	if err == nil {
		s.files[key] = files
	}
	return files, err
}

// serve sends the replies in their order. What fails the edge will ask for again.
func (s *service) serve(ctx context.Context, edge string, replies []reply) {
	for _, r := range replies {
		var err error
		if r.want == nil {
			s.Log.Info("a model is offered to an edge", "edge", edge, "model", r.model, "version", r.version)
			err = s.send(ctx, edge, event.DownModel{Type: event.ModelOffer, Model: r.model, Version: r.version, Files: r.files})
		} else {
			err = s.parts(ctx, edge, r)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("a model was not sent to an edge, which will ask again", "edge", edge, "model", r.model, "version", r.version, telemetry.Err, err)
		}
	}
}

// maxReply bounds what one request is answered with, whatever it says.
const maxReply = 4 << 20

func (s *service) parts(ctx context.Context, edge string, r reply) error {
	w := r.want
	if !(w.Offset >= 0 && w.Bytes > 0) {
		return fmt.Errorf("it asks for %d bytes at %d of %.40q", w.Bytes, w.Offset, w.File)
	}
	files, err := s.filesOf(ctx, r.model, r.version)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name != w.File {
			continue
		}
		end := min(f.Size, w.Offset+min(w.Bytes, maxReply))
		for at := w.Offset; at < end; at += event.PartOfModel {
			data, err := s.Objects.Range(ctx, release.Key(r.model, r.version, f.Name), at, min(event.PartOfModel, end-at))
			if err != nil {
				return err
			}
			err = s.send(ctx, edge, event.DownModel{Type: event.ModelPart, Model: r.model, Version: r.version, File: f.Name, Offset: at, Data: data})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("it asks for file %.40q, which the version does not have", w.File)
}

func (s *service) send(ctx context.Context, edge string, d event.DownModel) error {
	payload, err := d.Marshal()
	if err != nil {
		return err
	}
	return s.broker.Publish(ctx, event.DownTopic(edge, event.DownModels), 1, false, payload)
}
