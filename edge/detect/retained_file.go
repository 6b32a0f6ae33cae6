package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/telemetry"
)

// topicsFile is the file of the retained topics.
type topicsFile struct {
	Topics []string `json:"topics"`
}

// mostTopics and mostTopicBytes bound the file; a device has tens of topics.
const (
	mostTopics     = 10_000
	mostTopicBytes = 4 << 20
)

// restoreRetained takes up what an earlier run has left at the broker: what belongs to a source that is gone is
// taken back, counts are set to 0, and pictures stay as they are.
func restoreRetained(file string, has func(camera, zone string) bool, log *slog.Logger) *retained {
	r := &retained{log: log, file: file, due: make(chan struct{}, 1), topics: map[string]*retainedTopic{}}
	topics, err := readTopics(file)
	if err != nil {
		log.Warn("the list of the topics that were announced earlier cannot be read: what the local broker still holds of removed sources stays there", telemetry.Err, err)
	}
	for _, topic := range topics {
		camera, zone, ok := source(topic)
		switch {
		case !ok: // not one of ours
		case has != nil && !has(camera, zone):
			r.put(topic, nil)
		case isCount(topic):
			r.put(topic, []byte("0"))
		case strings.HasSuffix(topic, statusLevels): // a camera that is still one publishes it anew
			r.put(topic, nil)
		default:
			r.topics[topic] = &retainedTopic{}
		}
	}
	r.fresh = false
	return r
}

// source is the camera, and the zone where there is one, of which a retained topic speaks; false where
// it is none that an announcer says.
func source(topic string) (camera, zone string, ok bool) {
	if strings.ContainsAny(topic, "+#\x00") {
		return "", "", false
	}
	l := strings.Split(topic, "/")
	switch {
	case len(l) < 3 || l[0] != "canvas":
		return "", "", false
	case len(l) == 3, len(l) == 4 && l[3] == "snapshot", len(l) == 4 && l[2] == "status" && l[3] == "camera":
		return l[1], "", true
	case len(l) == 5 && l[2] == "zones":
		return l[1], l[3], true
	}
	return "", "", false
}

func readTopics(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostTopicBytes))
	if err != nil {
		return nil, err
	}
	return parseTopics(data)
}

func parseTopics(data []byte) ([]string, error) {
	var t topicsFile
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("the file of retained topics: %w", err)
	}
	if len(t.Topics) > mostTopics {
		return nil, fmt.Errorf("the file of retained topics names %d, more than %d", len(t.Topics), mostTopics)
	}
	return t.Topics, nil
}

// list writes the topics down before the first payload of each is published: after a kill a later run can
// still take it back.
func (r *retained) list() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == "" || !r.fresh {
		return
	}
	t := topicsFile{}
	for topic := range r.topics {
		if topic != AvailableTopic {
			t.Topics = append(t.Topics, topic)
		}
	}
	slices.Sort(t.Topics)
	data, err := json.Marshal(t)
	if err == nil {
		err = renameio.WriteFile(r.file, data, 0o600)
	}
	if err != nil {
		if !r.unlisted {
			r.log.Warn("the list of announced topics cannot be written: should the device be switched off now, the local broker may keep counts of sources that are gone", telemetry.Err, err)
		}
		r.unlisted = true
		return
	}
	r.fresh, r.unlisted = false, false
}
