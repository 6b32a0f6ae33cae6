package evaluate

import (
	"strings"
	"testing"
)

// ten pieces of which the device is right about those it is sure of.
func ten(right func(i int) bool) ([]Piece, func(float64) float64) {
	pieces := make([]Piece, 10)
	for i := range pieces {
		pieces[i] = Piece{Doubt: float64(i) / 10, Small: 1, Large: 100}
	}
	return pieces, func(doubt float64) float64 {
		n := 0
		for i, p := range pieces {
			if p.Doubt >= doubt || right(i) {
				n++
			}
		}
		return float64(n) / 10
	}
}

func TestACascadePaysWhereDoubtIsAtTheRightPieces(t *testing.T) {
	pieces, quality := ten(func(i int) bool { return i < 7 })
	c := MeasureCascade(pieces, quality, 1, 1000, 0.5, 10)
	if c.Edge != 0.7 || len(c.Points) != 11 || !c.Pays {
		t.Fatalf("%+v", c)
	}
	if c.Chosen.Doubt != 0.7 || c.Chosen.Quality != 1 || c.Chosen.Gain != 1 || c.Chosen.Sent != 0.3 || c.Chosen.Bytes != 0.307 {
		t.Errorf("chosen %+v", c.Chosen)
	}
	if c := MeasureCascade(pieces, quality, 1, 1000, 0.15, 10); c.Chosen.Doubt != 0.9 || !c.Pays || c.Chosen.Bytes > 0.15 {
		t.Errorf("with less to spend: %+v", c.Chosen)
	}
}

func TestACascadeMayBeBetterThanBothItsModels(t *testing.T) {
	pieces, quality := ten(func(i int) bool { return i < 7 })
	c := MeasureCascade(pieces, quality, 0.6, 1000, 0.5, 10) // the cloud's model alone is worse
	if !c.Pays || c.Chosen.Quality != 1 || !strings.Contains(c.Why, "either") {
		t.Errorf("%+v", c)
	}
}

func TestDoubtsMayBeOfAnySize(t *testing.T) {
	pieces, quality := ten(func(i int) bool { return i < 7 })
	for i := range pieces {
		pieces[i].Doubt *= 40
	}
	c := MeasureCascade(pieces, quality, 1, 1000, 0.5, 10)
	if c.Points[0].Sent != 0 || c.Edge != 0.7 || c.Chosen.Doubt != 28 || c.Chosen.Sent != 0.3 || !c.Pays {
		t.Errorf("%+v", c)
	}
}

func TestACascadeThatDoesNotPayIsReportedAsSuch(t *testing.T) {
	for name, c := range map[string]struct {
		right  func(i int) bool
		cloud  float64
		budget float64
		why    string
	}{
		"the cloud is worse":                {func(int) bool { return true }, 0.9, 0.5, "not better"},
		"no money":                          {func(i int) bool { return i < 7 }, 1, 0.001, "already"},
		"sure of what is wrong":             {func(i int) bool { return i > 5 }, 1, 0.3, "better than the device alone"},
		"doubts have nothing to do with it": {func(i int) bool { return i%2 == 1 }, 1, 0.25, "at random"},
	} {
		t.Run(name, func(t *testing.T) {
			pieces, quality := ten(c.right)
			got := MeasureCascade(pieces, quality, c.cloud, 1000, c.budget, 10)
			if got.Pays || !strings.Contains(got.Why, c.why) {
				t.Errorf("pays %v: %s", got.Pays, got.Why)
			}
		})
	}
}

func TestACascadeOfNothingIsTheDeviceAlone(t *testing.T) {
	c := MeasureCascade(nil, func(float64) float64 { return 0.4 }, 0.9, 0, 1, 10)
	if len(c.Points) != 1 || c.Chosen.Quality != 0.4 || c.Pays {
		t.Errorf("%+v", c)
	}
}
