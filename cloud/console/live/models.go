package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
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
	Canary   = "canary"
	Promote  = "promote"
	Rollback = "rollback"
)

// Candidates are the versions that may become the canary.
func (m Model) Candidates() []string {
	return slices.DeleteFunc(slices.Clone(m.Versions), func(v string) bool { return v == m.Desired })
}

// Back says whether there is something to take back.
func (m Model) Back() bool { return m.Canary != nil || m.Desired != m.Previous }

// Rollbacks are the changes that took a version back.
func (m Model) Rollbacks() []ModelChange {
	return slices.DeleteFunc(slices.Clone(m.Changes), func(c ModelChange) bool { return c.Action != Rollback })
}

// ModelsView asks for models at most once in a while, and at once after a change.
type ModelsView struct {
	o     ModelsOptions
	mu    sync.Mutex
	asked time.Time
	last  []Model
}

// ModelsOptions are what it takes to change models.
type ModelsOptions struct {
	Models  Models // nil: there are none to change
	Audit   *auth.Audit
	Notices *index.Notices
	Log     *slog.Logger
}

// NewModelsView asks for models, and changes them.
func NewModelsView(o ModelsOptions) *ModelsView { return &ModelsView{o: o, last: []Model{}} }

// Get lists the models.
func (v *ModelsView) Get(ctx context.Context) ([]Model, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.o.Models == nil || time.Since(v.asked) < askAgain {
		return v.last, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	all, err := v.o.Models.Models(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the models: %w", err)
	}
	v.last, v.asked = all, time.Now()
	return all, nil
}

// Find gives one model, or index.ErrUnknown.
func (v *ModelsView) Find(ctx context.Context, name string) (Model, error) {
	all, err := v.Get(ctx)
	if err != nil {
		return Model{}, err
	}
	if at := slices.IndexFunc(all, func(m Model) bool { return m.Name == name }); at >= 0 {
		return all[at], nil
	}
	return Model{}, fmt.Errorf("model %.80q is %w", name, index.ErrUnknown)
}

// forget makes the next question one to the cluster.
func (v *ModelsView) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = time.Time{}
}

// ModelRequest is what an operator asks for a model.
type ModelRequest struct {
	Action  string  `json:"action"`  // canary, promote or rollback
	Version string  `json:"version"` // of canary, and of promote where it is not the canary
	Share   float64 `json:"share"`   // of canary: of the items, more than 0 and at most 1
	Reason  string  `json:"reason"`  // of rollback
}

func (m ModelRequest) detail() string {
	switch {
	case m.Action == Canary:
		return fmt.Sprintf("version %s for %s %% of the items", m.Version, strconv.FormatFloat(100*m.Share, 'g', 4, 64))
	case m.Version != "":
		return "version " + m.Version
	}
	return m.Reason
}

// Change does what an operator asks for. It is noted before it is done, as a replay is.
func (v *ModelsView) Change(ctx context.Context, who, name string, asked ModelRequest) error {
	if _, err := v.Find(ctx, name); err != nil {
		return err
	}
	asked.Version, asked.Reason = text.Cut(asked.Version, text.MaxName), text.Cut(asked.Reason, text.MaxName)
	var do func(context.Context) error
	switch asked.Action {
	case Canary:
		if !(asked.Share > 0 && asked.Share <= 1) {
			return fmt.Errorf("%w: a canary sees more than 0 and at most 100 %% of the items", request.ErrBad)
		}
		do = func(ctx context.Context) error { return v.o.Models.Canary(ctx, who, name, asked.Version, asked.Share) }
	case Promote:
		do = func(ctx context.Context) error { return v.o.Models.Promote(ctx, who, name, asked.Version) }
	case Rollback:
		do = func(ctx context.Context) error { return v.o.Models.Rollback(ctx, who, name, asked.Reason) }
	default:
		return fmt.Errorf("%w: action %.20q is none of %s, %s and %s", request.ErrBad, asked.Action, Canary, Promote, Rollback)
	}
	act := auth.Act{Time: time.Now().UTC(), Who: who, Action: asked.Action, What: "model " + name, Detail: asked.detail()}
	if err := v.o.Audit.Write(act); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := do(ctx); err != nil {
		act.Action, act.Detail = asked.Action+auth.Failed, text.Cut(err.Error(), text.MaxName)
		return errors.Join(fmt.Errorf("%s of model %s: %w", asked.Action, name, err), v.o.Audit.Write(act))
	}
	v.o.Log.Info("an operator has changed a model", "who", who, "action", asked.Action, "model", name, "version", asked.Version)
	v.forget()
	v.o.Notices.Add(index.Notice{What: index.AboutModel, Name: name})
	return nil
}
