package modelupdate

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

// Store holds the versions of models that came from the cloud, each in a repository of its own below a
// folder, and which of them runs. Safe for concurrent use.
type Store struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	state map[string]*entry // by model
}

// entry is what is remembered of a model. The version "" is what the device came with.
type entry struct {
	Version  string `json:"version"`
	Previous string `json:"previous"`
	Trial    bool   `json:"trial,omitempty"`   // it has not passed it yet
	Starts   int    `json:"starts,omitempty"`  // of the agent during the trial that did not end well
	Refused  string `json:"refused,omitempty"` // the latest version that did not do
	Reason   string `json:"reason,omitempty"`
}

const stateFile = "state.json"

// OpenStore reads what is there. A model whose trial the agent did not survive goes back to the
// version before. A state that can't be read is as none: the device runs what it came with.
func OpenStore(dir string, log *slog.Logger) (*Store, error) {
	s := &Store{dir: dir, log: log, state: map[string]*entry{}}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.state)
	}
	if err != nil {
		log.Error("the list of models from the cloud can't be read; the models that the device came with run", telemetry.Err, err)
		s.state = map[string]*entry{}
		return s, nil
	}
	maps.DeleteFunc(s.state, func(name string, e *entry) bool { return e == nil || !model.ValidName(name) })
	for name, e := range s.state {
		if !e.Trial {
			continue
		}
		if e.Starts > 0 {
			s.rollBack(name, e, "the agent died while it was on trial")
			continue
		}
		e.Starts++
	}
	return s, s.save()
}

// Model is the version of a model that shall run; ok is false where that is what the device came with.
func (s *Store) Model(name string) (m model.Model, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.state[name]
	if e == nil || e.Version == "" {
		return m, false
	}
	m, err := s.open(name, e.Version)
	for err != nil {
		s.log.Error("a model that came from the cloud can't be used", "model", name, "version", e.Version, telemetry.Err, err)
		s.rollBack(name, e, err.Error())
		if e.Version == "" {
			return m, false
		}
		m, err = s.open(name, e.Version)
	}
	return m, true
}

func (s *Store) open(name, version string) (model.Model, error) {
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

func (s *Store) home(name, version string) string { return filepath.Join(s.dir, name+"@"+version) }

// Activate lets a version run from the next start of the pipeline on, at first on trial. What is
// neither it nor the one before is removed.
func (s *Store) Activate(name, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.ensureEntry(name)
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
func (s *Store) Refuse(name, version, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.ensureEntry(name)
	if e.Version == version && version != "" {
		s.rollBack(name, e, reason)
	} else {
		e.Refused, e.Reason = version, reason
	}
	return s.save()
}

// EndTrial ends a version's trial.
func (s *Store) EndTrial(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.ensureEntry(name)
	e.Trial, e.Starts = false, 0
	return s.save()
}

// Stop notes that the agent stops as it should, which is no failure of versions on trial.
func (s *Store) Stop() error {
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
func (s *Store) Trials() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.state)) {
		if s.state[name].Trial {
			names = append(names, name)
		}
	}
	return names
}

// entryOf is what is remembered of a model.
func (s *Store) entryOf(name string) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.state[name]; e != nil {
		return *e
	}
	return entry{}
}

func (s *Store) ensureEntry(name string) *entry {
	if s.state[name] == nil {
		s.state[name] = &entry{}
	}
	return s.state[name]
}

func (s *Store) rollBack(name string, e *entry, reason string) {
	s.log.Warn("a version of a model is taken back; the version before it runs", "model", name, "version", e.Version, "previous", e.Previous, "reason", reason)
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
func (s *Store) save() error {
	data, err := json.MarshalIndent(s.state, "", " ")
	if err == nil {
		err = durable.MkdirAll(s.dir, 0o755)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(s.dir, stateFile), data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("the list of models from the cloud could not be written: %w", err)
	}
	return nil
}

// tidy removes versions that nobody goes back to.
func (s *Store) tidy(name string, e *entry) {
	all, _ := filepath.Glob(filepath.Join(s.dir, name+"@*"))
	for _, dir := range all {
		if v := strings.TrimPrefix(filepath.Base(dir), name+"@"); v != e.Version && v != e.Previous {
			os.RemoveAll(dir)
		}
	}
}
