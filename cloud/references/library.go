package references

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
)

// Library answers what edges ask of the views.
type Library struct {
	config  Config
	objects Objects
	now     func() time.Time
	sent    prometheus.Counter

	mu    sync.Mutex
	lists map[ground.System]list // read a moment ago
}

type list struct {
	*index // nil: there is none
	read   time.Time
}

const (
	listAge  = 5 * time.Second // of one that serves several edges
	maxLists = 16
	// maxReads bounds what one question costs, whatever it says: views that are looked at …
	maxReads = 512
	maxBytes = 1 << 20 // … and bytes that are sent
)

// NewLibrary makes a Library. metrics may be nil.
func NewLibrary(c Config, objects Objects, metrics prometheus.Registerer) (*Library, error) {
	l := &Library{config: c, objects: objects, now: time.Now, lists: map[ground.System]list{},
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "canvas_cloud_reference_sent_bytes_total", Help: "Bytes of reference views of the ground that were sent to devices."})}
	if metrics != nil {
		if err := metrics.Register(l.sent); err != nil {
			return nil, fmt.Errorf("register the metrics of reference views: %w", err)
		}
	}
	return l, nil
}

// Answer sends an edge the views that it asks for, the last change first, without what that edge has seen
// itself: it knows that. It sends one message at least.
func (l *Library) Answer(ctx context.Context, edge string, want event.WantedViews, send func(event.DownViews) error) error {
	if !l.config.On() {
		return send(event.DownViews{System: want.System, List: want.List, After: want.After, Before: want.Before, Done: true, Last: true,
			Problem: "the cloud keeps no views of the ground: references.quota_bytes is 0"})
	}
	x, err := l.index(ctx, want.System)
	if err != nil {
		return err
	}
	if x == nil {
		return send(event.DownViews{System: want.System, Done: true, Last: true})
	}
	if want.List != x.list {
		want.After, want.Before = 0, 0 // the numbers of another list say nothing
	}
	d := event.DownViews{System: want.System, List: x.list, After: want.After, Before: want.Before, Top: x.change}
	left := min(want.Bytes, maxBytes)
	flush := func() error {
		l.sent.Add(float64(len(d.Data)))
		if err := send(d); err != nil {
			return err
		}
		d.Before, d.Views, d.Data = d.Next, nil, nil
		return nil
	}
	blocks := x.newest(want.After, want.Before)
	for n, b := range blocks {
		data, err := l.view(ctx, edge, want.System, b)
		if err != nil {
			return err
		}
		if int64(len(data)) > left || n >= maxReads {
			d.Last = true
			return flush()
		}
		if len(d.Views) == event.MaxDownViews || len(d.Data)+len(data) > event.DownViewsBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		d.Next = x.blocks[b].change
		if len(data) > 0 {
			left -= int64(len(data))
			d.Views, d.Data = append(d.Views, event.DownView{X: b.X, Y: b.Y, Bytes: len(data)}), append(d.Data, data...)
		}
	}
	d.Done, d.Last = true, true
	return flush()
}

// view is what an edge is sent of a block; empty where that is nothing.
func (l *Library) view(ctx context.Context, edge string, system ground.System, b ground.Block) ([]byte, error) {
	v, _, err := readView(ctx, l.objects, system, b)
	if err != nil {
		return nil, err
	}
	v = v.Without(func(s ground.Source) bool { return strings.HasPrefix(s.Name, edge+"/") })
	if v.Empty() {
		return nil, nil
	}
	data, err := v.MarshalBinary()
	if err != nil || len(data) > event.MaxDownViewBytes {
		return nil, err
	}
	return data, nil
}

// index is the list of a system, nil where there is none.
func (l *Library) index(ctx context.Context, system ground.System) (*index, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x, ok := l.lists[system]; ok && l.now().Sub(x.read) < listAge {
		return x.index, nil
	}
	x, err := readIndex(ctx, l.objects, indexKey(system))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errIndex) {
		x, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(l.lists) >= maxLists {
		clear(l.lists)
	}
	l.lists[system] = list{x, l.now()}
	return x, nil
}
