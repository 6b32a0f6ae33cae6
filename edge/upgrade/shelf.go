package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
)

// Shelf is the versions of models that came from the cloud, each in a repository of its own below a
// folder, and which of them runs. Safe for concurrent use.
type Shelf struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	state map[string]*entry // by model
}

// entry is what is remembered of a model. The version "" is what the device came with.
type entry struct {
	Version  string `json:"version"`
	Previous string `json:"previous"`
	Trial    bool   `json:"trial,omitempty"`   // it has not proved itself yet
	Starts   int    `json:"starts,omitempty"`  // of the agent during the trial that did not end well
	Refused  string `json:"refused,omitempty"` // the latest version that did not do
	Reason   string `json:"reason,omitempty"`
}

const stateFile = "state.json"

// OpenShelf reads what is there. A model whose trial the agent did not survive goes back to the
// version before. A state that can't be read is as none: the device runs what it came with.
func OpenShelf(dir string, log *slog.Logger) (*Shelf, error) {
	s := &Shelf{dir: dir, log: log, state: map[string]*entry{}}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.state)
	}
	if err != nil {
		log.Error("which models came from the cloud can't be read, running those that the device came with", telemetry.Err, err)
		s.state = map[string]*entry{}
		return s, nil
	}
	maps.DeleteFunc(s.state, func(name string, e *entry) bool { return e == nil || !model.ValidName(name) })
	for name, e := range s.state {
		if !e.Trial {
			continue
		}
		if e.Starts > 0 {
			s.back(name, e, "the agent died while it was on trial")
			continue
		}
		e.Starts++
	}
	return s, s.save()
}

// Model is the version of a model that shall run; ok is false where that is what the device came with.
func (s *Shelf) Model(name string) (m model.Model, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.state[name]
	if e == nil || e.Version == "" {
		return m, false
	}
	m, err := s.open(name, e.Version)
	for err != nil {
		s.log.Error("a model that came from the cloud can't be used", "model", name, "version", e.Version, telemetry.Err, err)
		s.back(name, e, err.Error())
		if e.Version == "" {
			return m, false
		}
		m, err = s.open(name, e.Version)
	}
	return m, true
}

func (s *Shelf) open(name, version string) (model.Model, error) {
	return openVersion(s.home(name, version), name, version)
}

// openVersion opens the one model of a repository and checks it against its manifest.
func openVersion(repository, name, version string) (model.Model, error) {
	r, err := model.Open(repository)
	if err != nil {
		return model.Model{}, err
	}
	m, err := r.Find(name + "@" + version)
	if err != nil {
		return m, errors.Join(append(r.Problems(), err)...)
	}
	return m, m.Verify()
}

func (s *Shelf) home(name, version string) string { return filepath.Join(s.dir, name+"@"+version) }

// Activate lets a version run from the next start of the pipeline on, at first on trial. What is
// neither it nor the one before is removed.
func (s *Shelf) Activate(name, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(name)
	if e.Version == version {
		return nil
	}
	e.Previous, e.Version, e.Trial, e.Starts = e.Version, version, version != "", 0
	e.Refused, e.Reason = "", ""
	if err := s.save(); err != nil {
		return err
	}
	s.tidy(name, e)
	return nil
}

// Refuse notes that a version will not do. One that runs goes back to the version before from the
// next start of the pipeline on.
func (s *Shelf) Refuse(name, version, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(name)
	if e.Version == version && version != "" {
		s.back(name, e, reason)
	} else {
		e.Refused, e.Reason = version, reason
	}
	return s.save()
}

// Proved ends a version's trial.
func (s *Shelf) Proved(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(name)
	e.Trial, e.Starts = false, 0
	return s.save()
}

// Leave says that the agent stops as it should: that is nothing against versions on trial.
func (s *Shelf) Leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	trials := false
	for _, e := range s.state {
		trials = trials || e.Starts > 0
		e.Starts = 0
	}
	if !trials {
		return nil
	}
	return s.save()
}

// Trials are the models on trial.
func (s *Shelf) Trials() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.state)) {
		if s.state[name].Trial {
			names = append(names, name)
		}
	}
	return names
}

// about is what is remembered of a model.
func (s *Shelf) about(name string) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.state[name]; e != nil {
		return *e
	}
	return entry{}
}

func (s *Shelf) of(name string) *entry {
	if s.state[name] == nil {
		s.state[name] = &entry{}
	}
	return s.state[name]
}

func (s *Shelf) back(name string, e *entry, reason string) {
	s.log.Warn("the device goes back to the version of a model before", "model", name, "version", e.Version, "previous", e.Previous, "reason", reason)
	e.Refused, e.Reason = e.Version, shortened(reason)
	e.Version, e.Previous, e.Trial, e.Starts = e.Previous, "", false, 0
}

// shortened bounds a reason: it stands in the status.
func shortened(reason string) string {
	const most = 300
	reason = strings.ToValidUTF8(strings.ReplaceAll(reason, "\n", "; "), "")
	if len(reason) > most {
		reason = strings.ToValidUTF8(reason[:most], "") + " …"
	}
	return reason
}

// save writes the state, whole or not at all.
func (s *Shelf) save() error {
	data, err := json.MarshalIndent(s.state, "", " ")
	if err == nil {
		err = durable.MkdirAll(s.dir, 0o755)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(s.dir, stateFile), data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("which models run could not be written down: %w", err)
	}
	return nil
}

// tidy removes versions that nobody goes back to.
func (s *Shelf) tidy(name string, e *entry) {
	all, _ := filepath.Glob(filepath.Join(s.dir, name+"@*"))
	for _, dir := range all {
		if v := strings.TrimPrefix(filepath.Base(dir), name+"@"); v != e.Version && v != e.Previous {
			os.RemoveAll(dir)
		}
	}
}
