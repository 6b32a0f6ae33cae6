package sar

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

// cphdMeta is what is used of a CPHD file's XML.
type cphdMeta struct {
	XMLName      xml.Name `xml:"CPHD"`
	CollectionID struct {
		CollectorName string
		CoreName      string
		CollectType   string
		RadarMode     struct{ ModeType string }
	}
	Global struct {
		DomainType string
		SGN        int
		Timeline   struct{ CollectionStart string }
	}
	Data struct {
		SignalArrayFormat   string
		NumBytesPVP         int
		NumCPHDChannels     int
		SignalCompressionID string
		Channel             []struct {
			Identifier            string
			NumVectors            int
			NumSamples            int
			SignalArrayByteOffset int64
			PVPArrayByteOffset    int64
		}
	}
	Channel struct {
		Parameters []struct {
			Identifier   string
			Polarization struct{ TxPol, RcvPol string }
		}
	}
	PVP struct {
		TxTime, TxPos, TxVel, RcvTime, RcvPos, RcvVel, SRPPos *cphdPlace
		AmpSF, FX1, FX2, TOA1, TOA2, SC0, SCSS, SIGNAL        *cphdPlace
	}
}

// cphdPlace is where a parameter lies among those of a vector, in words of 8 bytes.
type cphdPlace struct {
	Offset, Size int
	Format       string
}

// cphdField is a parameter that was found to be where it may be: numbers from a byte on.
type cphdField struct{ byte, numbers int }

func (m *cphdMeta) sampleBytes() int {
	return map[string]int{"CI2": 2, "CI4": 4, "CF8": 8}[m.Data.SignalArrayFormat]
}

// check refuses what is not read, and sizes that are none.
func (m *cphdMeta) check() error {
	d := &m.Data
	channels := make([]string, 0, len(d.Channel))
	for _, c := range d.Channel {
		channels = append(channels, fmt.Sprintf("%.20q", c.Identifier))
	}
	switch mode := strings.TrimSpace(m.CollectionID.RadarMode.ModeType); {
	case m.CollectionID.CollectType != "MONOSTATIC":
		return fmt.Errorf("CollectType is %.20q: its transmitter and its receiver go different ways; only MONOSTATIC is focused", m.CollectionID.CollectType)
	case mode == "SPOTLIGHT":
		return errors.New("ModeType is SPOTLIGHT: the beam was held on one place, so that its Doppler band is wider than the PRF and chirp scaling can't focus it; it needs a polar format or backprojection processor, which is not built: give a STRIPMAP collection, or the provider's SICD or SLC")
	case mode != "STRIPMAP":
		return fmt.Errorf("ModeType is %.30q: the beam was steered along the track; only STRIPMAP is focused", mode)
	case d.SignalCompressionID != "":
		return fmt.Errorf("SignalCompressionID is %.40q: its signal is compressed in a way that is not read; write it uncompressed", d.SignalCompressionID)
	case m.sampleBytes() == 0:
		return fmt.Errorf("SignalArrayFormat is %.20q, none of CI2, CI4 and CF8", d.SignalArrayFormat)
	case m.Global.DomainType != "FX" && m.Global.DomainType != "TOA":
		return fmt.Errorf("DomainType is %.20q, neither FX nor TOA", m.Global.DomainType)
	case m.Global.SGN != 1 && m.Global.SGN != -1:
		return fmt.Errorf("SGN is %d, neither +1 nor -1", m.Global.SGN)
	case d.NumCPHDChannels != len(d.Channel):
		return fmt.Errorf("NumCPHDChannels is %d, but %d are described", d.NumCPHDChannels, len(d.Channel))
	case len(d.Channel) != 1:
		return fmt.Errorf("it has %d channels (%s), and which one is meant is not asked yet: write each into a file of its own", len(d.Channel), strings.Join(channels[:min(len(channels), 8)], ", "))
	}
	c := d.Channel[0]
	switch {
	case c.NumVectors < 2 || c.NumVectors > maxCPHDVectors:
		return fmt.Errorf("NumVectors is %d, not 2 to %d", c.NumVectors, maxCPHDVectors)
	case c.NumSamples < 16 || c.NumSamples > maxCPHDSamples:
		return fmt.Errorf("NumSamples is %d, not 16 to %d", c.NumSamples, maxCPHDSamples)
	case d.NumBytesPVP < 8 || d.NumBytesPVP > maxCPHDPVP || d.NumBytesPVP%8 != 0:
		return fmt.Errorf("NumBytesPVP is %d, no multiple of 8 up to %d", d.NumBytesPVP, maxCPHDPVP)
	case c.SignalArrayByteOffset < 0 || c.PVPArrayByteOffset < 0:
		return fmt.Errorf("SignalArrayByteOffset is %d, PVPArrayByteOffset %d: they count from 0", c.SignalArrayByteOffset, c.PVPArrayByteOffset)
	}
	_, err := m.start()
	return err
}

// start is the time that times of vectors count from.
func (m *cphdMeta) start() (time.Time, error) {
	text := strings.TrimSpace(m.Global.Timeline.CollectionStart)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} { // without a zone it is UTC
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("CollectionStart is %.40q, not a time such as 2024-05-20T10:00:00.0Z", text)
}

// fields are the parameters of a vector that are used; each lies within a vector's bytes.
func (m *cphdMeta) fields() (map[string]cphdField, error) {
	const vector = "X=F8;Y=F8;Z=F8;"
	p := &m.PVP
	fields := map[string]cphdField{}
	for _, f := range []struct {
		name   string
		at     *cphdPlace
		format string
		needed bool
	}{
		{"TxTime", p.TxTime, "F8", true}, {"TxPos", p.TxPos, vector, true}, {"TxVel", p.TxVel, vector, true},
		{"RcvTime", p.RcvTime, "F8", true}, {"RcvPos", p.RcvPos, vector, true}, {"RcvVel", p.RcvVel, vector, true},
		{"SRPPos", p.SRPPos, vector, true}, {"FX1", p.FX1, "F8", true}, {"FX2", p.FX2, "F8", true},
		{"TOA1", p.TOA1, "F8", true}, {"TOA2", p.TOA2, "F8", true}, {"SC0", p.SC0, "F8", true}, {"SCSS", p.SCSS, "F8", true},
		{"AmpSF", p.AmpSF, "F8", false}, {"SIGNAL", p.SIGNAL, "I8", false},
	} {
		if f.at == nil {
			if f.needed {
				return nil, fmt.Errorf("PVP: it has no %s", f.name)
			}
			continue
		}
		numbers := strings.Count(f.format, "8")
		if got := strings.Join(strings.Fields(f.at.Format), ""); strings.TrimSuffix(got, ";") != strings.TrimSuffix(f.format, ";") || f.at.Size != numbers {
			return nil, fmt.Errorf("PVP: %s is %d words of %.40q, must be %d of %q", f.name, f.at.Size, f.at.Format, numbers, f.format)
		}
		if f.at.Offset < 0 || f.at.Offset > m.Data.NumBytesPVP/8-numbers {
			return nil, fmt.Errorf("PVP: %s at word %d lies beyond NumBytesPVP, %d", f.name, f.at.Offset, m.Data.NumBytesPVP)
		}
		fields[f.name] = cphdField{f.at.Offset * 8, numbers}
	}
	return fields, nil
}

// polarisation is of the two words, where they are H and V.
func (m *cphdMeta) polarisation() string {
	for _, p := range m.Channel.Parameters {
		if both := p.Polarization.TxPol + p.Polarization.RcvPol; p.Identifier == m.Data.Channel[0].Identifier && (both == "HH" || both == "HV" || both == "VH" || both == "VV") {
			return both
		}
	}
	return ""
}
