package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// What operators do with dead letters, and with the edges that make them.
const (
	actReplay  = deadletter.PutBack
	actDiscard = deadletter.Discarded
	actBlock   = "block"
	actUnblock = "unblock"
)

// errCannot marks what can't be done with a letter, whoever asks.
var errCannot = errors.New("this letter can't be replayed")

// actPatience is how long somebody waits for the coordinator, and for others who put letters back.
const actPatience = 20 * time.Second

// Letter is a dead letter with what an operator did about it.
type Letter struct {
	index.DeadLetter
	Handled *auth.Act `json:"handled"`
}

// letterSource is where dead letters come from, and whether that edge is shut out.
type letterSource struct {
	index.DeadLetterSource
	Blocked bool `json:"blocked"`
}

// Path is where the letter's page lies.
func (l Letter) Path() string { return fmt.Sprintf("/letters/%d/%d", l.Partition, l.Offset) }

// Place is where the letter stands.
func (l Letter) Place() deadletter.Place { return placeOfLetter(l.DeadLetter) }

func placeOfLetter(l index.DeadLetter) deadletter.Place {
	return deadletter.Place{Partition: l.Partition, Offset: l.Offset}
}

const letterName = event.DLQTopic + "-%d@%d of %s"

// name tells a letter from all others, also from one of another Kafka that stands where it stood.
func nameOf(l index.DeadLetter) string {
	return fmt.Sprintf(letterName, l.Partition, l.Offset, l.Heard.UTC().Format(time.RFC3339Nano))
}

// letterBox is what was decided about dead letters and edges, and decides. The book is the cloud's
// own: the command reads and writes the same. The audit has what was done here once more.
type letterBox struct {
	actions deadletter.Actions
	audit   *auth.Audit
	log     Log
	book    atomic.Pointer[deadletter.Book]
	blocked atomic.Pointer[blocklist.List]
}

// undecided says that nobody has decided about a letter.
func (b *letterBox) undecided(l index.DeadLetter) bool { return b.of(l) == nil }

// of is what was done about a letter, or nil.
func (b *letterBox) of(l index.DeadLetter) *auth.Act {
	if k := b.book.Load(); k != nil {
		if d := k.Of(placeOfLetter(l), l.Heard); d != nil {
			return &auth.Act{Time: d.At, Who: d.By, Action: d.Action, What: nameOf(l)}
		}
	}
	return b.audit.Of(nameOf(l)) // of an earlier program, and not in the book yet
}

// decided are the latest decisions about letters, wherever they were taken, the newest first.
func (b *letterBox) decided(n int) (acts []auth.Act) {
	k := b.book.Load()
	if k == nil {
		return nil
	}
	for i := len(k.Acts) - 1; i >= 0 && len(acts) < n; i-- {
		act := k.Acts[i]
		for partition, ranges := range act.Places {
			for _, r := range ranges {
				what := fmt.Sprintf("letter %d-%d", partition, r.From)
				if r.To > r.From {
					what = fmt.Sprintf("letters %d-%d to %d-%d", partition, r.From, partition, r.To)
				}
				acts = append(acts, auth.Act{Time: act.At, Who: act.By, Action: act.Action, What: what})
			}
		}
	}
	return acts[:min(n, len(acts))]
}

// do decides about a letter. What was decided before stays so.
func (b *letterBox) do(ctx context.Context, who, action string, l index.DeadLetter) error {
	if b.actions.Group == nil {
		return fmt.Errorf("%w: there is no coordinator that would remember it", errCannot)
	}
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	a := b.actions
	a.By = who
	decide := a.Discard
	if action == actReplay {
		decide = a.Replay
	}
	outcomes, err := decide(ctx, placeOfLetter(l))
	act := auth.Act{Time: time.Now().UTC(), Who: who, Action: action, What: nameOf(l), Detail: text.Cut(l.Reason, text.MaxName)}
	switch {
	case err != nil:
		act.Action = action + auth.Failed
		return errors.Join(fmt.Errorf("%s dead letter %s: %w", action, nameOf(l), err), b.audit.Write(act))
	case len(outcomes) == 1 && outcomes[0].State == deadletter.Refused:
		return fmt.Errorf("%w: %s", errCannot, outcomes[0].Why)
	}
	if outcomes[0].State != deadletter.Already {
		if outcomes[0].Topic != "" {
			act.Detail = "to " + outcomes[0].Topic
		}
		if err := b.audit.Write(act); err != nil {
			return err
		}
	}
	return b.refresh(ctx)
}

func (b *letterBox) refresh(ctx context.Context) error {
	book, err := deadletter.ReadBook(ctx, b.actions.Group.Document(deadletter.BookName))
	if err == nil {
		b.book.Store(&book)
	}
	return err
}

// block shuts an edge out, or lets it in again.
func (b *letterBox) block(ctx context.Context, who, action, edge, reason string) (err error) {
	if b.actions.Group == nil {
		return fmt.Errorf("%w: there is no coordinator that would remember it", errCannot)
	}
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	switch action {
	case actBlock:
		err = blocklist.Block(ctx, b.actions.Group, edge, blocklist.Entry{By: who, At: time.Now().UTC().Truncate(time.Second), Reason: text.Cut(reason, 200)})
	case actUnblock:
		err = blocklist.Unblock(ctx, b.actions.Group, edge)
	default:
		err = fmt.Errorf("%w: action %.20q is neither %s nor %s", request.ErrBad, action, actBlock, actUnblock)
	}
	if errors.Is(err, blocklist.ErrRefused) {
		return fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	if err != nil {
		return err
	}
	list, err := blocklist.Read(ctx, b.actions.Group)
	if err == nil {
		b.blocked.Store(&list)
	}
	return errors.Join(err, b.audit.Write(auth.Act{Time: time.Now().UTC(), Who: who, Action: action, What: "edge " + edge, Detail: text.Cut(reason, text.MaxName)}))
}

// follow keeps what was decided up to date until ctx ends, after the audit of an earlier program was
// taken over.
func (k *Console) followDecisions(ctx context.Context) error {
	b := &k.box
	if b.actions.Group == nil {
		return nil
	}
	adopted := make(chan struct{})
	go func() {
		defer close(adopted)
		k.adopt(ctx)
	}()
	defer func() { <-adopted }()
	books := k.watch(ctx, deadletter.BookName)
	blocked := k.watch(ctx, blocklist.Name)
	for {
		select {
		case value := <-books:
			if book, err := deadletter.ParseBook(value); err == nil {
				b.book.Store(&book)
			} else {
				k.Logger.Warn("what was decided about dead letters can't be read", telemetry.Err, err)
			}
		case value := <-blocked:
			if list, err := blocklist.Parse(value); err == nil {
				b.blocked.Store(&list)
			}
		case <-ctx.Done():
			return nil
		}
		k.index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	}
}

// watch gives the values of a document until ctx ends.
func (k *Console) watch(ctx context.Context, name string) <-chan []byte {
	out := make(chan []byte)
	go func() {
		for ctx.Err() == nil {
			values, err := k.box.actions.Group.Document(name).Watch(ctx)
			if err == nil {
				for v := range values {
					select {
					case out <- v:
					case <-ctx.Done():
						return
					}
				}
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// adopt takes what the audit of an earlier program says about letters into the book, until that has
// succeeded once.
func (k *Console) adopt(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.box.adopt(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		k.Logger.Warn("what the audit says about dead letters is not in the book yet, trying again", telemetry.Err, err)
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

func (b *letterBox) adopt(ctx context.Context) error {
	old := map[deadletter.Place]deadletter.Decision{}
	heard := map[deadletter.Place]time.Time{}
	for _, act := range b.audit.LastOf(actReplay, actDiscard) {
		if p, at, ok := placeNamed(act.What); ok {
			d := deadletter.Decision{Action: act.Action, By: act.Who, At: act.Time.UTC()}
			if d.At.Before(at) { // by another clock than the letter's
				d.At = at.UTC()
			}
			old[p], heard[p] = d, at
		}
	}
	if len(old) == 0 {
		return nil
	}
	book, err := deadletter.ReadBook(ctx, b.actions.Group.Document(deadletter.BookName))
	if err != nil {
		return err
	}
	for p := range maps.Clone(old) {
		if book.Of(p, heard[p]) != nil {
			delete(old, p)
			continue
		}
		same := false
		ranges, err := b.log.Offsets(ctx, event.DLQTopic)
		if err != nil {
			return err
		}
		if r := ranges[p.Partition]; p.Offset >= r.First && p.Offset < r.End {
			err = b.log.Scan(ctx, event.DLQTopic, p.Partition, p.Offset, p.Offset+1, func(r kafka.Record) error {
				same = r.Time.UnixMilli() == heard[p].UnixMilli()
				return nil
			})
		}
		if err != nil {
			return err
		}
		if !same { // Kafka has let go of it, or it is another Kafka
			delete(old, p)
		}
	}
	return b.actions.Adopt(ctx, old)
}

// placeNamed reads a letter's name.
func placeNamed(name string) (p deadletter.Place, heard time.Time, ok bool) {
	var at string
	if n, err := fmt.Sscanf(name, letterName, &p.Partition, &p.Offset, &at); err != nil || n != 3 {
		return p, heard, false
	}
	heard, err := time.Parse(time.RFC3339Nano, at)
	return p, heard, err == nil && p.Partition >= 0 && p.Offset >= 0 && !strings.Contains(at, " ")
}
