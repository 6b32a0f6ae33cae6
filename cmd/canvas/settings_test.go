package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"cloudcanvas/cloud"
	"cloudcanvas/edge"
	"cloudcanvas/shared/config"
)

// The settings of the three programs are described by the tags of their structs alone. Here what is
// made of the tags is held to what the programs read, and docs/configuration.md is written.

var update = flag.Bool("update", false, "write the tables of docs/configuration.md anew")

// files are those that people write, each with a fresh value of its defaults.
var files = map[string]func() config.Checker{
	"edge.yaml":   func() config.Checker { c := edge.DefaultConfig(); return &c },
	"cloud.yaml":  func() config.Checker { c := cloud.DefaultConfig(); return &c },
	"canvas.yaml": func() config.Checker { c := defaultAppliance(); return &c },
}

func TestEverySettingIsDescribed(t *testing.T) {
	for file, defaults := range files {
		everySetting(file, config.Describe(defaults()), func(path string, s config.Setting) {
			if len(s.Desc) < 8 || strings.Contains(s.Desc, "TODO") {
				t.Errorf("%s is not described: give its field a tag desc", path)
			}
			for _, page := range pages.FindAllStringSubmatch(s.Desc, -1) {
				text, err := os.ReadFile(filepath.Join("../../docs", page[1]+".md"))
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				if page[2] != "" && !strings.Contains(anchors(text), page[2]+"\n") {
					t.Errorf("%s: docs/%s.md has no heading %s", path, page[1], page[2])
				}
			}
		})
	}
}

// everySetting visits those of a file, inside groups, lists and maps too.
func everySetting(above string, all []config.Setting, visit func(path string, s config.Setting)) {
	for _, s := range all {
		path := above + "." + s.Name
		visit(path, s)
		switch {
		case s.Map():
			path += ".<name>"
		case s.List():
			path += "[]"
		}
		everySetting(path, s.Settings, visit)
	}
}

// anchors are the headings of a page as links name them, one a line.
func anchors(page []byte) string {
	var all strings.Builder
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			title = strings.ToLower(strings.TrimSpace(title))
			title = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(title, "")
			all.WriteString("#" + strings.ReplaceAll(title, " ", "-") + "\n")
		}
	}
	return all.String()
}

func TestASampleIsTheDefaults(t *testing.T) {
	for file, defaults := range files {
		sample := config.Sample(file, config.Describe(defaults()))
		read := defaults()
		tellOnlyWhatIsRequired(t, sample, config.Parse(file, sample, read, nil))
		if !reflect.DeepEqual(plain(read), plain(defaults())) {
			t.Errorf("%s as it is printed gives\n%+v\nnot the defaults\n%+v", file, read, defaults())
		}
		// With every "#" before a setting taken away it is a file as well: of lists with one element.
		var full bytes.Buffer
		for line := range strings.Lines(string(sample)) {
			if !strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "#  ") {
				line = strings.TrimPrefix(line, "#")
			}
			full.WriteString(line)
		}
		read = defaults()
		err := config.Parse(file, full.Bytes(), read, nil)
		for _, wrong := range []string{"is not a setting", "stands twice", "YAML", "write it as"} {
			if err != nil && strings.Contains(err.Error(), wrong) {
				t.Errorf("%s with everything in it:\n%v\n%s", file, err, full.String())
			}
		}
		everySetting("", config.Describe(defaults()), func(path string, s config.Setting) {
			if !bytes.Contains(full.Bytes(), []byte(" "+s.Name+":")) && !bytes.Contains(full.Bytes(), []byte("\n"+s.Name+":")) {
				t.Errorf("%s is not in the sample of %s", path, file)
			}
		})
		check(t, schema(t, file), file, sample, true)
		check(t, schema(t, file), file, full.Bytes(), true)
	}
}

// plain is what a pointer to a configuration points to.
func plain(c config.Checker) any { return reflect.ValueOf(c).Elem().Interface() }

// tellOnlyWhatIsRequired lets pass what is said of the lines that say so themselves.
func tellOnlyWhatIsRequired(t *testing.T, sample []byte, err error) {
	t.Helper()
	var all *config.Error
	if err != nil && !asError(err, &all) {
		t.Fatal(err)
	}
	if all == nil {
		return
	}
	lines := strings.Split(string(sample), "\n")
	for _, p := range all.Problems {
		if p.Line < 2 || !strings.Contains(lines[p.Line-2], "REQUIRED") {
			t.Errorf("of the sample as it is: %+v", p)
		}
	}
}

func asError(err error, to **config.Error) (ok bool) {
	*to, ok = err.(*config.Error)
	return ok
}

func schema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema(file, config.Describe(files[file]()))))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(file, text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, s *jsonschema.Schema, name string, text []byte, good bool) {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); (err == nil) != good {
		t.Errorf("the schema of %s says %v of\n%s", name, err, text)
	}
}

func TestTheSchemaTakesWhatCheckTakes(t *testing.T) {
	packs, _ := filepath.Glob("../../firmware-configs/packs/*/*.yaml")
	profiles, _ := filepath.Glob("../../firmware-configs/profiles/*.yaml")
	shipped := append(append(packs, profiles...), "../../firmware-configs/cloud.yaml", "../../firmware-configs/canvas.yaml")
	if len(shipped) < 10 {
		t.Fatalf("found only %v", shipped)
	}
	for _, path := range shipped {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Base(path)
		if filepath.Base(filepath.Dir(path)) == "profiles" {
			file = "edge.yaml"
		}
		check(t, schema(t, file), path, text, true)
	}
	for _, c := range []struct {
		file, text string
		good       bool
	}{
		{"edge.yaml", "edge: 7\nuplink: {window: '64', receipt_timeout: 1m30s, receipts: puback}\nframe_every: 0", true},
		{"edge.yaml", "uplink: {window: '${N:-64}', receipts: '${R}'}\noutbox: {quota_bytes: 8_000_000_000}", true},
		{"edge.yaml", "cameras: [{name: a, address: b, zones: [{name: z, polygon: [[0, 0], [1, 0], [1, 1]]}]}]", true},
		{"edge.yaml", "models: {folders: /a}\noutbox: {streams: {gate: {expire_after: 3h}}}\ndetect:", true},
		{"edge.yaml", "edg: mast", false},
		{"edge.yaml", "uplink: {windw: 3}", false},
		{"edge.yaml", "uplink: {window: 2000}", false},
		{"edge.yaml", "uplink: {window: many}", false},
		{"edge.yaml", "uplink: {receipt_timeout: 30}", false},
		{"edge.yaml", "uplink: {receipts: perhaps}", false},
		{"edge.yaml", "outbox: {ballast_bytes: 5}", false},
		{"edge.yaml", "cameras: [{name: a, adress: b}]", false},
		{"edge.yaml", "cameras: gate", false},
		{"edge.yaml", "outbox: {streams: {gate: {expire: 3h}}}", false},
		{"cloud.yaml", "kafka: {brokers: k:9092}\nworker: {late: skip, models: [{want: detect, model: x, white: 0.3}]}", true},
		{"cloud.yaml", "worker: {late: never}", false},
		{"cloud.yaml", "bridge: {share: perhaps}", false},
		{"canvas.yaml", "device: {edge: a}\ncloud: {console: {listen: 'a:1'}}", true},
		{"canvas.yaml", "device: {cloud: {url: 'tcp://a:1'}}", false},
	} {
		check(t, schema(t, c.file), c.file, []byte(c.text), c.good)
		err := config.Parse(c.file, []byte(c.text), files[c.file](), []string{"R=bridge"})
		if !c.good && err == nil {
			t.Errorf("check takes what the schema refuses: %s", c.text)
		}
	}
}

// TestTheLimitsOfATagAreThoseOfCheck sets every setting that has a range beside its ends.
func TestTheLimitsOfATagAreThoseOfCheck(t *testing.T) {
	for _, file := range []string{"edge.yaml", "cloud.yaml"} {
		everySetting("", config.Describe(files[file]()), func(path string, s config.Setting) {
			for value, good := range s.Edges() {
				text := write("", strings.Split(path[1:], "."), value)
				err := config.Parse(file, []byte(text), files[file](), nil)
				field := strings.ReplaceAll(strings.ReplaceAll(path[1:], "[]", ".0"), "<name>", "a")
				refused := err != nil && regexp.MustCompile(`: `+regexp.QuoteMeta(field)+`: `).MatchString(err.Error())
				if refused == good {
					t.Errorf("%s: %s: %s is good by its tag: %v; check says: %v", file, text, value, good, err)
				}
			}
		})
	}
}

// beside are settings without which others of their group are not looked at.
var beside = map[string]string{
	".scenes[]": "folder: /a, ", ".uplink.contacts.list[]": "from: '2090-01-01T10:00:00Z', to: '2090-01-01T11:00:00Z', ",
	".uplink.contacts.daily[]": "from: '02:00', to: '03:00', ", ".uplink.contacts.orbit": "tle_file: /none, ",
}

// write is a group with one value in it, below a path.
func write(above string, path []string, value string) string {
	if len(path) == 0 {
		return value
	}
	text := write(above+"."+path[0], path[1:], value)
	name, list := strings.CutSuffix(path[0], "[]")
	if list {
		text = "[" + text + "]"
	}
	return "{" + beside[above] + strings.Replace(name, "<name>", "a", 1) + ": " + text + "}"
}

// pages are what a description says of docs/: NAME.md or NAME.md#heading.
var pages = regexp.MustCompile(`\b([a-z]+)\.md(#[a-z-]+)?`)

func TestTheTablesOfTheDocumentation(t *testing.T) {
	const page = "../../docs/configuration.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for _, file := range []string{"edge.yaml", "cloud.yaml", "canvas.yaml"} {
		begin, end := "<!-- settings of "+file+": make docs writes them from the programs -->\n", "<!-- end of "+file+" -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for %s", page, file)
		}
		tables := &tables{seen: map[reflect.Type]string{}, deep: file != "canvas.yaml"}
		tables.file(config.Describe(files[file]()))
		want = before + begin + tables.text.String() + end + after
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the programs read: make docs", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tables are a file's settings in Markdown: those of the file itself, and a table for each group.
type tables struct {
	text strings.Builder
	seen map[reflect.Type]string // where the settings of a type stand
	deep bool
}

const head = "| setting | what | default |\n|---|---|---|\n"

func (w *tables) file(all []config.Setting) {
	w.text.WriteString(head)
	for _, s := range all {
		if s.Settings == nil || !w.deep {
			w.row(s.Name, s, s.DefaultText())
		}
	}
	for _, s := range all {
		if s.Settings != nil && w.deep {
			fmt.Fprintf(&w.text, "\n### %s\n%s.\n\n%s", s.Name, linked(strings.ToUpper(s.Desc[:1])+s.Desc[1:]), head)
			w.rows(inside(s.Name, s), s.Settings)
		}
	}
}

func inside(path string, s config.Setting) string {
	switch {
	case s.Map():
		return path + ".<name>."
	case s.List():
		return path + "[]."
	}
	return path + "."
}

func (w *tables) rows(above string, all []config.Setting) {
	for _, s := range all {
		path, t := above+s.Name, s.Default.Type()
		switch first := w.seen[t]; {
		case s.Settings == nil:
			w.row(path, s, s.DefaultText())
		case first != "":
			w.row(path, s, "as `"+first+"`")
		default:
			w.seen[t] = path
			w.row(path, s, s.DefaultText())
			w.rows(inside(path, s), s.Settings)
		}
	}
}

func (w *tables) row(path string, s config.Setting, standard string) {
	switch {
	case s.Required:
		standard = "**required**"
	case s.Words != "":
		standard = linked(s.Words)
	case standard != "" && !strings.HasPrefix(standard, "as `"):
		standard = "`" + standard + "`"
	}
	if size := s.Size(); size != "" {
		standard += ", " + size
	}
	may := s.May()
	if may != "" {
		may = " (" + may + ")"
	}
	fmt.Fprintf(&w.text, "| `%s` | %s | %s |\n", path, linked(s.Desc+may), strings.ReplaceAll(standard, "|", `\|`))
}

// linked is a text for people with links to the pages it names.
func linked(text string) string {
	text = strings.NewReplacer("<", "&lt;", "*", `\*`, "|", `\|`).Replace(text)
	return pages.ReplaceAllStringFunc(text, func(page string) string {
		m := pages.FindStringSubmatch(page)
		return "[" + cmp.Or(strings.ReplaceAll(strings.TrimPrefix(m[2], "#"), "-", " "), m[1]) + "](" + page + ")"
	})
}
