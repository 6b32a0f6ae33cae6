package pictures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func at(n int, s string) string { return strings.Repeat("\x00", n) + s }

func TestAKindIsRecognisedByTheFirstBytes(t *testing.T) {
	for head, want := range map[string]string{
		"\xFF\xD8\xFF\xE0":                                                   "JPEG",
		"\x89PNG\r\n\x1a\n":                                                  "PNG",
		"II*\x00\x08\x00\x00\x00\x01\x00\x00":                                "TIFF",
		"II*\x00\x10\x00\x00\x00CR\x02\x00":                                  "raw file of a Canon camera",
		"RIFF\x00\x00\x00\x00WEBPVP8 ":                                       "WebP",
		"RIFF\x00\x00\x00\x00AVI LIST":                                       "film",
		"RIFF\x00\x00\x00\x00WAVEfmt ":                                       "",
		"BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00": "BMP",
		"BMW cars are what this text is about":                               "",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic":                   "HEIC picture",
		"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif":                   "AVIF picture",
		"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic":                   "HEIC picture",
		"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomavc1":                   "film",
		at(128, "DICM"):                                                      "DICOM file",
		at(344, "n+1\x00"):                                                   "NIfTI volume",
		"":                                                                   "",
		"{\"a\": 1}":                                                         "",
	} {
		k := Of([]byte(head))
		if k.Name != want {
			t.Errorf("%.30q is a %q, want %q", head, k.Name, want)
		}
		if k.Name != "" && !k.Read && k.Advice == "" {
			t.Errorf("a %s is refused without a word on what to do", k.Name)
		}
	}
}

func TestWhatIsMeantToBeAPictureIsRecognisedByContentThenByName(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data string
		want bool
	}{
		"picture":    {"\xFF\xD8\xFF\xE0", true},
		"broken.JPG": {"", true},
		"labels.txt": {"0 0.5 0.5 1 1", false},
		"notes":      {"BMW", false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Meant(path); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add([]byte("\x00\x00\xff\xffftypmif1\x00\x00\x00\x00mif1"))
	f.Add([]byte("BM"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if k := Of(head); k.Name != "" && !k.Read && k.Advice == "" {
			t.Errorf("a %s is refused without a word on what to do", k.Name)
		}
	})
}
