package appliance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"cloudcanvas/shared/event"
)

// mutator makes items that no device makes out of items that one made: with envelopes, documents and
// pixels changed where it hurts, and with the right digest, so that they come as far as they can.
type mutator struct {
	*rand.Rand
	seeds map[event.Kind][]event.Item
	kinds []event.Kind
}

func newMutator(seed uint64, seeds []event.Item) mutator {
	m := mutator{Rand: rand.New(rand.NewPCG(seed, 1)), seeds: map[event.Kind][]event.Item{}}
	for _, i := range seeds {
		if m.seeds[i.Kind] == nil {
			m.kinds = append(m.kinds, i.Kind)
		}
		m.seeds[i.Kind] = append(m.seeds[i.Kind], i)
	}
	return m
}

// next is an item of edge under that number, and the bytes that travel.
func (m mutator) next(edge string, epoch event.Epoch, seq uint64) (event.Item, []byte) {
	for {
		i := pick(m, m.seeds[pick(m, m.kinds...)]...)
		i.Edge, i.Epoch, i.Seq, i.ID = edge, epoch, seq, event.NewID(i.Time)
		i.Data = bytes.Clone(i.Data)
		m.rename(&i, fmt.Sprintf("coast-%s-%d", edge, seq/4))
		for range 1 + m.IntN(3) {
			m.change(&i)
		}
		i.SHA256 = event.Sum(i.Data)
		wire, err := i.MarshalMQTT()
		if err != nil {
			continue // the mutation can't even be written
		}
		if m.IntN(20) == 0 {
			wire = m.bytes(wire)
		}
		return i, wire
	}
}

// rename gives a scene another name: a scene that is known already is not opened again.
func (m mutator) rename(i *event.Item, scene string) {
	if i.Attrs.Scene == "" {
		return
	}
	i.Subject = strings.Replace(i.Subject, i.Attrs.Scene, scene, 1)
	if json.Valid(i.Data) {
		i.Data = bytes.ReplaceAll(i.Data, fmt.Appendf(nil, "%q", i.Attrs.Scene), fmt.Appendf(nil, "%q", scene))
	}
	if i.Kind == event.Scene && m.IntN(4) > 0 { // nothing of it is waited for: it is made at once
		i.Data = bytes.ReplaceAll(i.Data, []byte(`"decision":"sent","reason":""`), []byte(`"decision":"dropped","reason":"cloud"`))
	}
	i.Attrs.Scene = scene
}

func (m mutator) change(i *event.Item) {
	switch dice := m.IntN(10); {
	case dice < 6 && json.Valid(i.Data):
		i.Data = m.document(i.Data)
	case dice < 6:
		i.Data = m.bytes(i.Data)
	case dice < 7:
		i.Kind = pick(m, event.Alert, event.Track, event.Reading, event.Scene, event.Tile, event.Crop, event.Frame, event.Ack, event.Answer, event.Result, event.Product)
	case dice < 8:
		*pick(m, &i.Subject, &i.Stream, &i.Type) = m.text()
	case dice < 9:
		*pick(m, &i.Attrs.Scene, &i.Attrs.Tile, &i.Attrs.Model, &i.Attrs.ModelVersion, &i.Attrs.Want, &i.Attrs.TraceParent) = m.text()
	default:
		i.Priority = event.Priority(m.IntN(4))
	}
}

func pick[T any](m mutator, of ...T) T { return of[m.IntN(len(of))] }

// document changes one place of a JSON document.
func (m mutator) document(data []byte) []byte {
	var tree any
	if json.Unmarshal(data, &tree) != nil {
		return m.bytes(data)
	}
	changed, err := json.Marshal(m.walk(tree))
	if err != nil || len(changed) > 1<<20 {
		return data
	}
	// Numbers that Go's encoder would not write.
	for _, r := range [][2]string{{`"@1e400"`, "1e400"}, {`"@-0"`, "-0"}, {`"@2^63"`, "9223372036854775807"}, {`"@2^64"`, "18446744073709551616"}} {
		changed = bytes.ReplaceAll(changed, []byte(r[0]), []byte(r[1]))
	}
	return changed
}

// walk goes down at random and changes the value where it stops, so that what stands high is changed
// as often as what stands in long lists.
func (m mutator) walk(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 && m.IntN(8) > 0 {
			keys := slices.Sorted(maps.Keys(v))
			k := keys[m.IntN(len(keys))]
			v[k] = m.walk(v[k])
			return v
		}
	case []any:
		if len(v) > 0 && m.IntN(4) > 0 {
			n := m.IntN(len(v))
			v[n] = m.walk(v[n])
			return v
		}
	}
	return m.value(v)
}

func (m mutator) value(v any) any {
	switch v := v.(type) {
	case float64:
		if m.IntN(2) == 0 { // what sizes something
			return pick(m, v*1e3, v*1e6, 1e9, 1e12, 1e15, 1<<31, 1<<53)
		}
		return pick[any](m, 0, -1, 1, v+1, -v, 1e300, -1e300, 0.5, "@1e400", "@-0", "@2^63", "@2^64")
	case string:
		return m.text()
	case []any:
		switch {
		case len(v) == 0 || m.IntN(3) == 0:
			return []any{}
		case m.IntN(2) == 0:
			return v[:m.IntN(len(v))]
		}
		many := make([]any, 0, 1<<12)
		for range pick(m, 2, 100, 4000) {
			many = append(many, v[m.IntN(len(v))])
		}
		return many
	case map[string]any:
		for k := range v {
			if m.IntN(3) == 0 {
				delete(v, k)
			}
		}
		return v
	}
	return pick[any](m, nil, true, 0, "", []any{}, map[string]any{}, nested(5000))
}

// nested is a list in a list in a list …
func nested(depth int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

func (m mutator) text() string {
	return pick(m, "", ".", "..", "../../x", "/etc/passwd", "http://127.0.0.1:9/x", "0_0", "0_1", "99999_99999", "-1_0", "1_0 ", "segment", "detect", "classify", "focus",
		"sentinel2", "a/b", "a/b/c", "NaN", "9223372036854775808", strings.Repeat("x", 4000), strings.Repeat("é", 2000), "\u202egpj.exe", "{}", "application/json", "image/png", "image/tiff",
		"+/#", "$SYS/x", "%00", "EPSG:4326", "GEOGCS[\"x\"", "2024-13-40T25:61:61Z", "00-0-0-00", "<script>alert(1)</script>", "'; DROP TABLE items;--")
}

// bytes flips, cuts, repeats and overwrites.
func (m mutator) bytes(b []byte) []byte {
	if len(b) == 0 {
		return []byte{byte(m.Uint32())}
	}
	b = bytes.Clone(b)
	switch m.IntN(5) {
	case 0:
		return b[:m.IntN(len(b))]
	case 1:
		from := m.IntN(len(b))
		return append(b, b[from:min(len(b), from+m.IntN(4096))]...)
	case 2: // a number of a header, as a rule
		at := m.IntN(min(len(b), 512))
		copy(b[at:], pick(m, []byte{0xff, 0xff, 0xff, 0xff}, []byte{0, 0, 0, 0}, []byte{0xff, 0xff, 0xff, 0x7f}, []byte{0, 0, 1, 0}, []byte{0x80, 0, 0, 0}))
	default:
		for range 1 + m.IntN(8) {
			b[m.IntN(len(b))] ^= 1 << m.IntN(8)
		}
	}
	return b
}
