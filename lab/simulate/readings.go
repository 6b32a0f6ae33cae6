package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// Limits part what simulated sensors say in good times from their excursions, with room on both
// sides: rules that alert above them and end 2 below find each excursion once.
const (
	TemperatureLimit = 50.0 // °C
	VibrationLimit   = 10.0 // mm/s
)

// Excursion is a time in which a value of a sensor is out of its bounds.
type Excursion struct {
	Sensor string  `json:"sensor"`
	Value  string  `json:"value"`
	Above  float64 `json:"above"`  // the limit that all of its readings pass, and no others
	FromS  float64 `json:"from_s"` // seconds after the beginning, of its first reading
	ToS    float64 `json:"to_s"`   // and of its last
	Peak   float64 `json:"peak"`

	from, to int // readings
}

// Silence is a time in which a sensor says nothing.
type Silence struct {
	Sensor string  `json:"sensor"`
	FromS  float64 `json:"from_s"`
	ToS    float64 `json:"to_s"`

	from, to int
}

// sensor is one simulated sensor. What it says follows from its seed and name alone.
type sensor struct {
	name       string
	random     *rand.Rand
	phase      float64
	drift      float64 // noise of the temperature, which remembers
	excursions []Excursion
	silences   []Silence
}

// plan lays excursions and silences over so many readings: the time is cut into equal parts, and each
// has one of them inside, so that none touches another.
func plan(name string, seed, number uint64, readings, excursions, silences int, rate float64) *sensor {
	s := &sensor{name: name, random: rand.New(rand.NewPCG(seed, number))}
	s.phase = 2 * math.Pi * s.random.Float64()
	parts := s.random.Perm(excursions + silences)
	width := readings / max(len(parts), 1)
	for n, part := range parts {
		length := width/6 + s.random.IntN(width/3)
		from := part*width + 1 + s.random.IntN(width-length-1)
		to := from + length - 1
		if n >= excursions {
			s.silences = append(s.silences, Silence{Sensor: name, FromS: float64(from) / rate, ToS: float64(to) / rate, from: from, to: to})
			continue
		}
		e := Excursion{Sensor: name, Value: "temperature", Above: TemperatureLimit, FromS: float64(from) / rate, ToS: float64(to) / rate, from: from, to: to}
		if n%2 == 1 {
			e.Value, e.Above = "vibration", VibrationLimit
		}
		s.excursions = append(s.excursions, e)
	}
	return s
}

// leastPart is the fewest readings that an excursion or a silence needs around itself.
const leastPart = 12

// say is the payload of a reading, or nothing in a silence. Every noise is bounded, so that the
// limits hold for sure.
func (s *sensor) say(n int, rate float64) []byte {
	s.drift = 0.9*s.drift + s.noise(0.3)
	wave := math.Sin(2*math.Pi*float64(n)/rate/dayS + s.phase)
	temperature := 21 + 6*wave + s.drift
	humidity := 55 - 15*wave + s.noise(1)
	vibration := 1.5 + s.noise(0.3)
	for i := range s.excursions {
		if e := &s.excursions[i]; n >= e.from && n <= e.to {
			// A hill: steep sides, a round top.
			x := float64(n-e.from+1) / float64(e.to-e.from+2)
			rise := 1 + math.Sqrt(4*x*(1-x))
			if e.Value == "temperature" {
				temperature += TemperatureLimit * rise
				e.Peak = max(e.Peak, rounded(temperature))
			} else {
				vibration += VibrationLimit * rise
				e.Peak = max(e.Peak, rounded(vibration))
			}
		}
	}
	for _, q := range s.silences {
		if n >= q.from && n <= q.to {
			return nil
		}
	}
	return fmt.Appendf(nil, `{"simulated":"yes","temperature":%s,"humidity":%s,"vibration":%s}`, decimal(temperature), decimal(humidity), decimal(vibration))
}

// dayS is the period of the waves: a day of ten minutes, so that short runs have some of it.
const dayS = 600

// noise is normal, cut at three sigma.
func (s *sensor) noise(sigma float64) float64 {
	return sigma * min(max(s.random.NormFloat64(), -3), 3)
}

func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }
func decimal(x float64) string  { return strconv.FormatFloat(rounded(x), 'f', -1, 64) }
