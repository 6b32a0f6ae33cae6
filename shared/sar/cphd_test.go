package sar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// collection is a CPHD file that the test makes: a stripmap seen from a circular orbit.
type collection struct {
	version, domain, format string
	sgn                     int
	mode, collect           string
	lines, samples          int
	prf, carrier, band      float64
	beam, centroid          float64      // points are seen in so many hertz around the centroid; beam 0: always
	points                  [][2]float64 // rows and columns, of a grid of 4.6 m in range from the nearest, where points are
	edit                    func(xml string) string
	change                  func(i int, pvp map[string][]float64)
}

func stripmap() collection {
	return collection{version: "1.1.0", domain: "FX", format: "CF8", sgn: -1, mode: "STRIPMAP", collect: "MONOSTATIC",
		lines: 2400, samples: 900, prf: 1600, carrier: 5.3e9, band: 30e6}
}

const cphdNear = 900e3 // slant range of the nearest good sample

// falling is an orbit that is that of polar in the middle, and goes on as gravity says: seconds of squint are enough
// to notice.
func falling(seconds float64) (position, velocity [3]float64) {
	p, v := polar.at(0)
	then := StateVector{epoch, p, v}.fallen(seconds)
	return then.Position, then.Velocity
}

func (c collection) geometry() *Geometry {
	p := scene(polar, "right")
	for i, v := range p.Orbit {
		p.Orbit[i].Position, p.Orbit[i].Velocity = falling(v.Time.Sub(epoch).Seconds())
	}
	p.Lines, p.PRFHz, p.Samples, p.FirstSampleSlantRangeM = c.lines, c.prf, c.samples, cphdNear
	p.StartTime = epoch.Add(-duration(float64(c.lines-1) / 2 / c.prf))
	g, err := NewGeometry(p, 0)
	if err != nil {
		panic(err)
	}
	return g
}

// doppler is the frequency at which a point is seen.
func (c collection) doppler(antenna, velocity, p [3]float64) float64 {
	los := minus(p, antenna)
	return 2 * dot(velocity, los) / norm(los) * c.carrier / light
}

// lag is by how many lines the middle of the beam looks ahead.
func (c collection) lag() float64 {
	return c.centroid * light / c.carrier * cphdNear / (2 * 7080 * 7080) * c.prf
}

var pvpOrder = []string{"TxTime", "TxPos", "TxVel", "RcvTime", "RcvPos", "RcvVel", "SRPPos", "AmpSF", "FX1", "FX2", "TOA1", "TOA2", "SC0", "SCSS", "SIGNAL"}

// write makes the file; the swath of good signal is 3000 m of slant range from cphdNear on.
func (c collection) write(t testing.TB) string {
	t.Helper()
	const swath, light = 3000.0, 299_792_458.0
	g := c.geometry()
	var targets [][3]float64
	for _, at := range c.points {
		lat, lon, err := g.Place(at[0], at[1], 0)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, ecef(lat, lon, 0))
	}
	var pvp, signal bytes.Buffer
	window := 1.3 * 2 * swath / light // that the samples say unambiguously
	scss, sc0 := 1/window, 0.0
	fx1, fx2 := c.carrier-c.band/2, c.carrier+c.band/2
	sc0 = fx1 - 3.3*scss
	if c.domain == "TOA" {
		scss = 1 / (1.25 * c.band)
		sc0 = -float64(c.samples) / 2 * scss
	}
	for i := range c.lines {
		when := (float64(i) - float64(c.lines-1)/2) / c.prf
		lat, lon, err := g.Place(float64(i)+c.lag(), swath/2/g.rangeStep, 0)
		if err != nil {
			t.Fatal(err)
		}
		srp := ecef(lat, lon, 50) // it need not be on the ground
		flight := 2 * (cphdNear + swath/2) / light
		tx, vtx := falling(when - flight/2)
		rx, vrx := falling(when + flight/2)
		tau := func(p [3]float64) float64 { return (norm(minus(tx, p)) + norm(minus(rx, p))) / light }
		gain := 1.0
		if c.format != "CF8" {
			gain = 0.001 * (1 + float64(i%3))
		}
		values := map[string][]float64{"TxTime": {when - flight/2 + 100}, "RcvTime": {when + flight/2 + 100}, "TxPos": tx[:], "RcvPos": rx[:],
			"TxVel": vtx[:], "RcvVel": vrx[:], "SRPPos": srp[:], "AmpSF": {gain}, "FX1": {fx1}, "FX2": {fx2},
			"TOA1": {2*cphdNear/light - tau(srp)}, "TOA2": {2*(cphdNear+swath)/light - tau(srp)}, "SC0": {sc0}, "SCSS": {scss}, "SIGNAL": {0}}
		if c.change != nil {
			c.change(i, values)
		}
		for _, name := range pvpOrder {
			if name == "SIGNAL" {
				binary.Write(&pvp, binary.BigEndian, int64(1-values[name][0]))
			} else {
				binary.Write(&pvp, binary.BigEndian, values[name])
			}
		}
		seen := slices.Clone(targets)
		if c.beam > 0 {
			seen = slices.DeleteFunc(seen, func(p [3]float64) bool { return math.Abs(c.doppler(tx, vtx, p)-c.centroid) > c.beam/2 })
		}
		for k := range c.samples {
			var sum complex128
			for _, target := range seen {
				delta := tau(target) - tau(srp)
				at := sc0 + float64(k)*scss
				if c.domain == "FX" {
					if at >= fx1 && at <= fx2 {
						sum += cmplx.Exp(complex(0, 2*math.Pi*math.Mod(float64(c.sgn)*at*delta, 1)))
					}
					continue
				}
				x := math.Pi * c.band * (at - delta)
				level := 1.0
				if x != 0 {
					level = math.Sin(x) / x
				}
				sum += complex(level, 0) * cmplx.Exp(complex(0, 2*math.Pi*math.Mod(float64(c.sgn)*c.carrier*delta, 1)))
			}
			sum /= complex(gain, 0)
			switch c.format {
			case "CI2":
				signal.Write([]byte{byte(int8(math.Round(real(sum) / 20))), byte(int8(math.Round(imag(sum) / 20)))})
			case "CI4":
				binary.Write(&signal, binary.BigEndian, [2]int16{int16(math.Round(real(sum))), int16(math.Round(imag(sum)))})
			default:
				binary.Write(&signal, binary.BigEndian, [2]float32{float32(real(sum)), float32(imag(sum))})
			}
		}
	}
	text, width := c.xml()
	if pvp.Len() != width*c.lines {
		t.Fatal("the test's own vectors are", pvp.Len()/c.lines, "bytes, not", width)
	}
	path := filepath.Join(t.TempDir(), "collection.cphd")
	if err := os.WriteFile(path, c.file(text, pvp.Bytes(), signal.Bytes()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c collection) xml() (text string, width int) {
	place, offset := "", 0
	for _, name := range pvpOrder {
		size, format := 1, "F8"
		if strings.HasSuffix(name, "Pos") || strings.HasSuffix(name, "Vel") {
			size, format = 3, "X=F8;Y=F8;Z=F8;"
		} else if name == "SIGNAL" {
			format = "I8"
		}
		place += fmt.Sprintf("<%s><Offset>%d</Offset><Size>%d</Size><Format>%s</Format></%s>", name, offset, size, format, name)
		offset += size
	}
	text = fmt.Sprintf(`<?xml version="1.0"?><CPHD xmlns="http://api.nsgreg.nga.mil/schema/cphd/%s"><CollectionID><CollectorName>Synthetic</CollectorName>
<CoreName>test</CoreName><CollectType>%s</CollectType><RadarMode><ModeType>%s</ModeType></RadarMode></CollectionID>
<Global><DomainType>%s</DomainType><SGN>%+d</SGN><Timeline><CollectionStart>%s</CollectionStart></Timeline></Global>
<Data><SignalArrayFormat>%s</SignalArrayFormat><NumBytesPVP>%d</NumBytesPVP><NumCPHDChannels>1</NumCPHDChannels>
<Channel><Identifier>1</Identifier><NumVectors>%d</NumVectors><NumSamples>%d</NumSamples><SignalArrayByteOffset>0</SignalArrayByteOffset><PVPArrayByteOffset>0</PVPArrayByteOffset></Channel></Data>
<Channel><Parameters><Identifier>1</Identifier><Polarization><TxPol>V</TxPol><RcvPol>H</RcvPol></Polarization></Parameters></Channel><PVP>%s</PVP></CPHD>`,
		c.version, c.collect, c.mode, c.domain, c.sgn, epoch.Add(-100*time.Second).Format(time.RFC3339Nano), c.format, offset*8, c.lines, c.samples, place)
	if c.edit != nil {
		text = c.edit(text)
	}
	return text, offset * 8
}

func (c collection) file(text string, pvp, signal []byte) []byte {
	const at = 1024
	head := fmt.Sprintf("CPHD/%s\nXML_BLOCK_SIZE := %d\nXML_BLOCK_BYTE_OFFSET := %d\nPVP_BLOCK_SIZE := %d\nPVP_BLOCK_BYTE_OFFSET := %d\nSIGNAL_BLOCK_SIZE := %d\nSIGNAL_BLOCK_BYTE_OFFSET := %d\nCLASSIFICATION := UNCLASSIFIED\nRELEASE_INFO := UNRESTRICTED\n\f\n",
		c.version, len(text), at, len(pvp), at+len(text)+2, len(signal), at+len(text)+2+len(pvp))
	all := append([]byte(head), make([]byte, at-len(head))...)
	return append(append(append(append(all, text...), "\f\n"...), pvp...), signal...)
}

// TestCPHDBecomesEchoes holds the lines against a chirp's echo as the book has it, of the true delays.
func TestCPHDBecomesEchoes(t *testing.T) {
	for _, like := range []struct {
		domain, format string
		sgn            int
	}{{"FX", "CF8", -1}, {"FX", "CF8", 1}, {"TOA", "CF8", -1}, {"TOA", "CF8", 1}, {"FX", "CI4", 1}, {"TOA", "CI2", -1}} {
		t.Run(fmt.Sprint(like.domain, like.format, like.sgn), func(t *testing.T) {
			c := stripmap()
			c.lines = 40
			c.domain, c.format, c.sgn = like.domain, like.format, like.sgn
			c.points = [][2]float64{{20, 330}}
			e, err := newCPHDEchoes(c.write(t))
			if err != nil {
				t.Fatal(err)
			}
			defer e.file.Close()
			p := e.params
			if p.Lines != 40 || p.LookSide != "right" || p.Polarisation != "VH" || math.Abs(p.PRFHz-1600) > 1e-6 || math.Abs(p.EffectiveVelocityMS-7065) > 20 {
				t.Errorf("%+v", p)
			}
			raw, err := e.lines(3, 30)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) != 30*p.Samples*8 {
				t.Fatal(len(raw))
			}
			g := c.geometry()
			lat, lon, err := g.Place(20, 330, 0)
			if err != nil {
				t.Fatal(err)
			}
			target := ecef(lat, lon, 0)
			for i := range 30 {
				when := (float64(3+i) - 39./2) / c.prf
				flight := 2 * (cphdNear + 1500) / light
				tx, _ := falling(when - flight/2)
				rx, _ := falling(when + flight/2)
				tau := (norm(minus(tx, target)) + norm(minus(rx, target))) / light
				var sum complex128
				var all, energy, scale float64
				for n := range p.Samples {
					v := complex(float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[(i*p.Samples+n)*8:]))), float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[(i*p.Samples+n)*8+4:]))))
					all += real(v)*real(v) + imag(v)*imag(v)
					at := 2*p.FirstSampleSlantRangeM/light + float64(n)/p.SamplingHz - tau
					if math.Abs(at) > p.ChirpS/2 {
						continue
					}
					turns := math.Mod(-p.CarrierHz*tau, 1) + p.ChirpRateHzS*at*at/2
					sum += v * cmplx.Exp(complex(0, -2*math.Pi*turns))
					scale++
					energy += real(v)*real(v) + imag(v)*imag(v)
				}
				sum /= complex(scale, 0)
				want, level, phase := 1.0, 0.05, 0.02
				if c.format == "CI2" { // in a few dozen steps
					want, level, phase = 0.05, 0.01, 0.1
				}
				if math.Abs(cmplx.Abs(sum)-want) > level || math.Abs(cmplx.Phase(sum)) > phase {
					t.Errorf("line %d: %v of the chirp, phase %v", 3+i, cmplx.Abs(sum), cmplx.Phase(sum))
				}
				if c.format == "CF8" && energy/all < 0.97 {
					t.Errorf("line %d: %.3f of its energy is where the chirp is", 3+i, energy/all)
				}
			}
		})
	}
}

func nanAt(i, at int) float64 {
	if i == at {
		return math.NaN()
	}
	return 0
}

func shift(v map[string][]float64, by float64) { v["TxTime"][0] += by; v["RcvTime"][0] += by }

// walk lets the reference point sink, as that of a spotlight goes away.
func walk(i int, v map[string][]float64) {
	away := [3]float64(v["SRPPos"])
	up := scaled(away, 1/norm(away))
	for axis := range 3 {
		v["SRPPos"][axis] -= up[axis] * 200 * float64(i)
	}
}

func kilometres(v map[string][]float64) {
	for _, name := range []string{"TxPos", "RcvPos", "SRPPos"} {
		for axis := range 3 {
			v[name][axis] /= 1000
		}
	}
}

// TestCPHDFocusesToTheImageOfItsEchoes focuses a file, and the chirps that a radar would have received of the same
// points from the same orbit.
func TestCPHDFocusesToTheImageOfItsEchoes(t *testing.T) {
	for _, like := range []struct {
		domain   string
		sgn      int
		centroid float64
	}{{"FX", 1, 0}, {"TOA", -1, 0}, {"FX", -1, -2000}} {
		t.Run(fmt.Sprint(like.domain, like.sgn, like.centroid), func(t *testing.T) {
			t.Parallel()
			c := stripmap()
			c.lines, c.domain, c.sgn, c.centroid, c.beam = 2000, like.domain, like.sgn, like.centroid, 900
			middle := 1000 + c.lag()
			c.points = [][2]float64{{middle + 0.3, 100.2}, {middle - 60.6, 330.5}, {middle + 41.1, 560}}
			path := c.write(t)
			e, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			p := e.Params
			p.DopplerCentroidHz = &c.centroid
			plan := planOf(t, p, 4<<30)
			raw, _, err := e.Raw(0, p.Lines)
			if err != nil {
				t.Fatal(err)
			}
			im := focusAll(t, plan, raw)

			chirps, real0 := make([]complex128, p.Lines*p.Samples), make([]float64, len(c.points))
			from := c.geometry()
			var targets [][3]float64
			for i, at := range c.points {
				lat, lon, err := from.Place(at[0], at[1], 0)
				if err != nil {
					t.Fatal(err)
				}
				targets, real0[i] = append(targets, ecef(lat, lon, 0)), math.Inf(1)
			}
			flight := 2 * (cphdNear + 1500) / light
			delay := func(when float64, target [3]float64) (tau, doppler float64) {
				tx, v := falling(when - flight/2)
				rx, _ := falling(when + flight/2)
				return (norm(minus(tx, target)) + norm(minus(rx, target))) / light, c.doppler(tx, v, target)
			}
			for k, target := range targets {
				for i := range p.Lines {
					tau, doppler := delay((float64(i)-float64(c.lines-1)/2)/c.prf, target)
					if math.Abs(doppler-c.centroid) > c.beam/2 {
						continue
					}
					for n := range p.Samples {
						if at := 2*p.FirstSampleSlantRangeM/light + float64(n)/p.SamplingHz - tau; math.Abs(at) <= p.ChirpS/2 {
							chirps[i*p.Samples+n] += complex128(cycle(math.Mod(-p.CarrierHz*tau, 1) + p.ChirpRateHzS*at*at/2))
						}
					}
				}
				for s := -2.0; s < 2; s += 1e-3 { // in the nearest place the range changes by micrometres in a millisecond
					tau, _ := delay(s, target)
					real0[k] = min(real0[k], tau*light/2)
				}
			}
			same := focusAll(t, plan, asCF32(chirps))

			g, err := plan.Geometry()
			if err != nil {
				t.Fatal(err)
			}
			geo := p.geometry(c.centroid)
			for k, target := range targets {
				lat, lon, h, _ := geodetic(target)
				row, col, err := g.Pixel(lat, lon, h)
				if err != nil {
					t.Fatal(err)
				}
				look := func(im *Image) (peakRow, peakCol, phase, level float64) {
					q := probe{im: im, rowHz: c.centroid / p.PRFHz, colHz: 2 * p.CarrierHz / light * (geo.migration(c.centroid) - 1) * geo.step}
					in, along := measure(q.inRange(row, col), 0.886*p.SamplingHz/p.Bandwidth()), measure(q.inAzimuth(row, col), 0.886*p.PRFHz/c.beam)
					v := q.inRange(row, col)(0)
					return along.peak, in.peak, cmplx.Phase(v*cycle(2*real0[k]/p.Wavelength())) * 180 / math.Pi, cmplx.Abs(v)
				}
				r, x, phase, level := look(im)
				r1, x1, phase1, level1 := look(same)
				t.Logf("row %.2f, column %.2f: off by %.4f, %.4f, phase %.2f°; the chirps' by %.4f, %.4f, %.2f°; level %.4f of theirs", row, col, r, x, phase, r1, x1, phase1, level/level1)
				// With squint, the one velocity of the whole swath moves points beside its middle along the track.
				if math.Abs(x) > 1./16 || math.Abs(r) > 1./8 || c.centroid == 0 && (math.Abs(r) > 1./16 || math.Abs(phase) > 1) {
					t.Errorf("the point at row %.2f, column %.2f is off by %.3f, %.3f, phase %.2f°", row, col, r, x, phase)
				}
				if math.Abs(level/level1-1) > 0.02 || math.Abs(phase-phase1) > 1 || math.Abs(r-r1) > 0.02 || math.Abs(x-x1) > 0.02 {
					t.Errorf("the point at row %.2f, column %.2f is not that of the chirps", row, col)
				}
			}
			// Side lobes of a chirp that begins and ends differ, its image does not.
			var off, most float64
			for i, v := range same.Pix {
				off, most = max(off, cmplx.Abs(complex128(v-im.Pix[i]))), max(most, cmplx.Abs(complex128(v)))
			}
			if db := 20 * math.Log10(off/most); db > -26 {
				t.Errorf("a pixel is off that of the chirps by %.1f dB of the brightest", db)
			} else {
				t.Logf("pixels are off those of the chirps by up to %.1f dB of the brightest", db)
			}
		})
	}
}
