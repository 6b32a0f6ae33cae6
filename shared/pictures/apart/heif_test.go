package apart

import (
	"strings"
	"testing"
)

func TestADecoderThatIsNotHereIsNamedWithWhatToInstall(t *testing.T) {
	for _, c := range []struct {
		lacking, av1 bool
		want         string
	}{{true, false, "install libheif-plugin-libde265"}, {true, true, "install libheif-plugin-dav1d"}, {false, true, "is the file whole?"}} {
		if err := explain("Unsupported codec", c.lacking, c.av1); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
