// Package courier brings models to the edges. What an edge shall run is a wish of an operator; what it
// has and what it misses it says in its status, which the MQTT broker retains. So the courier keeps
// nothing: any one that is there can go on where another stopped.
//
//	wishes (ZooKeeper) ─┐
//	                    ├─▶ offer ─▶ down/models ─▶ edge ─┐
//	statuses (MQTT)  ───┴─▶ parts ─▶                      │
//	    ▲                                                 │
//	    └──── "I miss model.onnx from byte 65536 on" ◀────┘
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
	"cloudcanvas/shared/telemetry"
)

// lease is what the courier at work owns; others stand by.
const lease = "courier"

// Objects is the object store.
type Objects interface {
	release.Objects
	Range(ctx context.Context, key string, offset, length int64) ([]byte, error)
}

// Group is the part of coord.Coordinator that a courier needs.
type Group interface {
	Documents
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
}

// Mail is the MQTT broker: statuses of edges come in, messages go out.
type Mail interface {
	Subscribe(filter string, qos byte, handle func(mqtt.Message))
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}

// Parts are what a courier is made of.
type Parts struct {
	Group   Group
	Objects Objects
	// Dial connects to the MQTT broker, once the courier is at work; leave ends that.
	Dial func(ctx context.Context) (mail Mail, leave func(), err error)
	Log  *slog.Logger
}

// Run works whenever this courier holds the lease, until ctx ends.
func Run(ctx context.Context, p Parts) error {
	for {
		err := p.Group.Own(ctx, lease, func(ctx context.Context, _ coord.Lease) error {
			mail, leave, err := p.Dial(ctx)
			if err != nil {
				return err
			}
			defer leave()
			return (&courier{Parts: p, mail: mail, edges: map[string]event.Status{}, news: make(chan struct{}, 1)}).work(ctx)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, coord.ErrLost) {
			p.Log.Error("bringing models to edges fails, trying again", telemetry.Err, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// courier is one time at work.
type courier struct {
	Parts
	mail   Mail
	wishes Wishes

	mu    sync.Mutex
	edges map[string]event.Status // whose status has changed since it was looked at last
	news  chan struct{}

	known map[string]event.Status // the latest of each edge that has models and is online
	files map[string][]event.ModelFile
}

// atOnce is how many edges are served side by side.
const atOnce = 8

func (c *courier) work(ctx context.Context) error {
	c.known, c.files = map[string]event.Status{}, map[string][]event.ModelFile{}
	wishes, err := c.Group.Document(document).Watch(ctx)
	if err != nil {
		return err
	}
	c.mail.Subscribe(event.StatusFilter, 1, c.hear)
	for {
		var changed map[string]event.Status
		select {
		case value, ok := <-wishes:
			if !ok {
				return ctx.Err()
			}
			if c.wishes, err = parse(value); err != nil {
				c.Log.Error("edges get no models", telemetry.Err, err)
			}
			changed = c.known // all may want something else now
		case <-c.news:
			changed = c.take()
		case <-ctx.Done():
			return ctx.Err()
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for edge, status := range changed {
			replies := c.replies(ctx, edge, status)
			group.Go(func() error { c.serve(ctx, edge, replies); return nil })
		}
		group.Wait()
	}
}

// hear takes a status. It must not wait: the client's messages come one by one.
func (c *courier) hear(m mqtt.Message) {
	edge, err := event.ParseStatusTopic(m.Topic)
	if err != nil {
		return
	}
	status, err := event.ParseStatus(m.Payload)
	if err != nil {
		return // the bridge tells of it
	}
	c.mu.Lock()
	c.edges[edge] = status
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *courier) take() map[string]event.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.edges
	c.edges = map[string]event.Status{}
	for edge, status := range changed {
		if status.Status != event.Online || len(status.Models) == 0 {
			delete(c.known, edge)
			delete(changed, edge)
			continue
		}
		c.known[edge] = status
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
func (c *courier) replies(ctx context.Context, edge string, s event.Status) (all []reply) {
	for _, m := range s.Models {
		version, wished := c.wishes.For(edge, m.Name)
		switch {
		case !wished || version == m.Version && m.Want == nil || version != "" && version == m.Refused:
		case m.Want != nil && m.Want.Version == version:
			all = append(all, reply{model: m.Name, version: version, want: m.Want})
		default:
			files, err := c.filesOf(ctx, m.Name, version)
			if err != nil {
				c.Log.Error("a version can't be offered", "edge", edge, "model", m.Name, "version", version, telemetry.Err, err)
				continue
			}
			all = append(all, reply{model: m.Name, version: version, files: files})
		}
	}
	return all
}

// filesOf remembers what a version consists of: it never changes.
func (c *courier) filesOf(ctx context.Context, model, version string) ([]event.ModelFile, error) {
	if version == "" {
		return nil, nil
	}
	key := model + "@" + version
	if files, ok := c.files[key]; ok {
		return files, nil
	}
	files, err := release.Library{Objects: c.Objects}.Files(ctx, model, version)
	if err == nil {
		c.files[key] = files
	}
	return files, err
}

// serve sends the replies in their order. What fails the edge will ask for again.
func (c *courier) serve(ctx context.Context, edge string, replies []reply) {
	for _, r := range replies {
		var err error
		if r.want == nil {
			c.Log.Info("a model is offered to an edge", "edge", edge, "model", r.model, "version", r.version)
			err = c.send(ctx, edge, event.DownModel{Type: event.ModelOffer, Model: r.model, Version: r.version, Files: r.files})
		} else {
			err = c.parts(ctx, edge, r)
		}
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("an edge does not get its model, it will ask again", "edge", edge, "model", r.model, "version", r.version, telemetry.Err, err)
		}
	}
}

// mostAtOnce bounds what one request is answered with, whatever it says.
const mostAtOnce = 4 << 20

func (c *courier) parts(ctx context.Context, edge string, r reply) error {
	w := r.want
	if !(w.Offset >= 0 && w.Bytes > 0) {
		return fmt.Errorf("it asks for %d bytes at %d of %.40q", w.Bytes, w.Offset, w.File)
	}
	files, err := c.filesOf(ctx, r.model, r.version)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name != w.File {
			continue
		}
		end := min(f.Size, w.Offset+min(w.Bytes, mostAtOnce))
		for at := w.Offset; at < end; at += event.PartOfModel {
			data, err := c.Objects.Range(ctx, release.Key(r.model, r.version, f.Name), at, min(event.PartOfModel, end-at))
			if err != nil {
				return err
			}
			err = c.send(ctx, edge, event.DownModel{Type: event.ModelPart, Model: r.model, Version: r.version, File: f.Name, Offset: at, Data: data})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("it asks for file %.40q, which the version does not have", w.File)
}

func (c *courier) send(ctx context.Context, edge string, d event.DownModel) error {
	payload, err := d.Marshal()
	if err != nil {
		return err
	}
	return c.mail.Publish(ctx, event.DownTopic(edge, event.DownModels), 1, false, payload)
}
