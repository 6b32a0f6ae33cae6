package decisions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/cloud/deadletter"
)

// patience is how long somebody waits for the coordinator, and for others who put dead letters back.
const patience = 20 * time.Second

// errNoCoordinator is also for what is asked of edges.
var errNoCoordinator = fmt.Errorf("%w: there is no coordinator that would remember it", ErrCannot)

// Decide replays or discards a dead letter. What was decided before stays so.
func (d *Decisions) Decide(ctx context.Context, who, action string, l DeadLetter) error {
	a := d.o.Actions
	a.By = who
	decide := a.Discard
	switch action {
	case Replay:
		decide = a.Replay
	case Discard:
	default:
		return fmt.Errorf("%w: action %.20q is neither %s nor %s", request.ErrBad, action, Replay, Discard)
	}
	if a.Group == nil {
		return errNoCoordinator
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	outcomes, err := decide(ctx, placeOf(l.DeadLetter))
	name := nameOf(l.DeadLetter)
	act := auth.Act{Time: time.Now().UTC(), Who: who, Action: action, What: name, Detail: text.Cut(l.Reason, text.MaxName)}
	switch {
	case err != nil:
		act.Action = action + auth.Failed
		return errors.Join(fmt.Errorf("%s dead letter %s: %w", action, name, err), d.o.Audit.Write(act))
	case len(outcomes) == 1 && outcomes[0].State == deadletter.Refused:
		return fmt.Errorf("%w: %s", ErrCannot, outcomes[0].Why)
	}
	if outcomes[0].State != deadletter.Already {
		if outcomes[0].Topic != "" {
			act.Detail = "to " + outcomes[0].Topic
		}
		if err := d.o.Audit.Write(act); err != nil {
			return err
		}
	}
	made, err := deadletter.ReadDecisions(ctx, a.Group.Document(deadletter.DecisionsName))
	if err != nil {
		return err
	}
	d.made.Store(&made)
	d.o.Logger.Info("an operator has decided about a dead letter", "who", who, "action", action, "dead_letter", name)
	d.o.Index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	return nil
}

// BlockRequest is what an operator asks for an edge.
type BlockRequest struct {
	Edge   string `json:"edge"`
	Action string `json:"action"` // block or unblock
	Reason string `json:"reason"`
}

// DecideEdge shuts an edge out, or lets it in again.
func (d *Decisions) DecideEdge(ctx context.Context, who string, asked BlockRequest) (err error) {
	group := d.o.Actions.Group
	if group == nil {
		return errNoCoordinator
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now := time.Now().UTC()
	switch asked.Action {
	case Block:
		err = blocklist.Block(ctx, group, asked.Edge, blocklist.Entry{By: who, At: now.Truncate(time.Second), Reason: text.Cut(asked.Reason, 200)})
	case Unblock:
		err = blocklist.Unblock(ctx, group, asked.Edge)
	default:
		err = fmt.Errorf("%w: action %.20q is neither %s nor %s", request.ErrBad, asked.Action, Block, Unblock)
	}
	if errors.Is(err, blocklist.ErrRefused) {
		return fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	if err != nil {
		return err
	}
	list, err := blocklist.Read(ctx, group)
	if err == nil {
		d.blocked.Store(&list)
	}
	err = errors.Join(err, d.o.Audit.Write(auth.Act{Time: now, Who: who, Action: asked.Action, What: "edge " + asked.Edge, Detail: text.Cut(asked.Reason, text.MaxName)}))
	if err != nil {
		return err
	}
	d.o.Logger.Info("an operator has decided about an edge", "who", who, "action", asked.Action, "edge", asked.Edge)
	d.o.Index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	return nil
}
