package console

import (
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Models are the models of the cluster and which versions of them should run. Who changes something
// is named, for the history that the cluster itself keeps.
type Models interface {
	Models(ctx context.Context) ([]Model, error)
	Canary(ctx context.Context, who, model, version string, share float64) error
	Promote(ctx context.Context, who, model, version string) error
	Rollback(ctx context.Context, who, model, reason string) error
}

// ErrRefused marks a change of a model that cannot be made as things are; the rest of the error says
// why, for whoever asked.
var ErrRefused = errors.New("nothing was changed")

// Model is a model with its versions. The version "" is what each worker was shipped with.
type Model struct {
	Name     string         `json:"name"`
	Versions []string       `json:"versions"` // published
	Desired  string         `json:"desired"`
	Canary   *ModelCanary   `json:"canary"`
	Previous string         `json:"previous"` // a rollback leads back to it
	Running  map[string]int `json:"running"`  // workers by version
	Changes  []ModelChange  `json:"changes"`  // the latest first
}

// ModelCanary is a version that sees a share of the items.
type ModelCanary struct {
	Version string    `json:"version"`
	Share   float64   `json:"share"` // more than 0, at most 1
	Since   time.Time `json:"since"`
}

// ModelChange is what was done to a model, by whom and why.
type ModelChange struct {
	Time    time.Time `json:"time"`
	Action  string    `json:"action"` // canary, promote or rollback
	Version string    `json:"version"`
	Who     string    `json:"who"`
	Reason  string    `json:"reason"`
}

// What operators do with models.
const (
	actCanary   = "canary"
	actPromote  = "promote"
	actRollback = "rollback"
)

// Candidates are the versions that may become the canary.
func (m Model) Candidates() []string {
	return slices.DeleteFunc(slices.Clone(m.Versions), func(v string) bool { return v == m.Desired })
}

// Back says whether there is something to take back.
func (m Model) Back() bool { return m.Canary != nil || m.Desired != m.Previous }

// Rollbacks are the changes that took a version back.
func (m Model) Rollbacks() []ModelChange {
	return slices.DeleteFunc(slices.Clone(m.Changes), func(c ModelChange) bool { return c.Action != actRollback })
}

// modelsView asks for models at most once in a while, and at once after a change.
type modelsView struct {
	models Models
	mu     sync.Mutex
	asked  time.Time
	last   []Model
}

func (v *modelsView) get(ctx context.Context) ([]Model, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.models == nil || time.Since(v.asked) < askAgain {
		return v.last, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	all, err := v.models.Models(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the models: %w", err)
	}
	v.last, v.asked = all, time.Now()
	return all, nil
}

func (v *modelsView) find(ctx context.Context, name string) (Model, error) {
	all, err := v.get(ctx)
	if err != nil {
		return Model{}, err
	}
	if at := slices.IndexFunc(all, func(m Model) bool { return m.Name == name }); at >= 0 {
		return all[at], nil
	}
	return Model{}, fmt.Errorf("model %.80q is %w", name, index.ErrUnknown)
}

func (v *modelsView) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = time.Time{}
}

// modelWish is what an operator asks for a model.
type modelWish struct {
	Action  string  `json:"action"`  // canary, promote or rollback
	Version string  `json:"version"` // of canary, and of promote where it is not the canary
	Share   float64 `json:"share"`   // of canary: of the items, more than 0 and at most 1
	Reason  string  `json:"reason"`  // of rollback
}

func (m modelWish) detail() string {
	switch {
	case m.Action == actCanary:
		return fmt.Sprintf("version %s for %s %% of the items", m.Version, strconv.FormatFloat(100*m.Share, 'g', 4, 64))
	case m.Version != "":
		return "version " + m.Version
	}
	return m.Reason
}

// release does what an operator wishes. It is noted before it is done, as a replay is.
func (k *Console) release(ctx context.Context, who, name string, wish modelWish) error {
	if _, err := k.models.find(ctx, name); err != nil {
		return err
	}
	wish.Version, wish.Reason = text.Cut(wish.Version, text.MaxName), text.Cut(wish.Reason, text.MaxName)
	var do func(context.Context) error
	switch wish.Action {
	case actCanary:
		if !(wish.Share > 0 && wish.Share <= 1) {
			return fmt.Errorf("%w: a canary sees more than 0 and at most 100 %% of the items", request.ErrBad)
		}
		do = func(ctx context.Context) error { return k.Models.Canary(ctx, who, name, wish.Version, wish.Share) }
	case actPromote:
		do = func(ctx context.Context) error { return k.Models.Promote(ctx, who, name, wish.Version) }
	case actRollback:
		do = func(ctx context.Context) error { return k.Models.Rollback(ctx, who, name, wish.Reason) }
	default:
		return fmt.Errorf("%w: action %.20q is none of %s, %s and %s", request.ErrBad, wish.Action, actCanary, actPromote, actRollback)
	}
	act := auth.Act{Time: k.now().UTC(), Who: who, Action: wish.Action, What: "model " + name, Detail: wish.detail()}
	if err := k.audit.Write(act); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	if err := do(ctx); err != nil {
		act.Action, act.Detail = wish.Action+auth.Failed, text.Cut(err.Error(), text.MaxName)
		return errors.Join(fmt.Errorf("%s of model %s: %w", wish.Action, name, err), k.audit.Write(act))
	}
	k.Logger.Info("an operator has changed a model", "who", who, "action", wish.Action, "model", name, "version", wish.Version)
	k.models.forget()
	k.index.Notices.Add(index.Notice{What: index.AboutModel, Name: name})
	return nil
}
