package sar

import (
	"errors"
	"fmt"
	"math"

	"cloudcanvas/shared/fft"
)

// maxBlocks bounds a plan: with it, a plan fits into the header of a block.
const maxBlocks = 4096

// maxBlockBytes bounds what one block may need: more is a mistake, whoever made the plan.
const maxBlockBytes = 1 << 36

// Check says what is wrong with a plan that came from elsewhere: whatever it says sizes what Focus makes.
func (p *Plan) Check() error {
	if err := p.Params.Check(); err != nil {
		return err
	}
	if err := p.Weights.check(); err != nil {
		return err
	}
	if err := p.checkCentroid(); err != nil {
		return err
	}
	if n := len(p.Blocks); n < 1 || n > maxBlocks {
		return fmt.Errorf("plan of echoes: it has %d blocks, 1 to %d are possible", n, maxBlocks)
	}
	rows := 0
	for i, b := range p.Blocks {
		if b.Index != i || b.FirstRow != rows || b.Rows < 1 || b.Rows > p.Params.Lines-rows ||
			b.Lines < b.Rows || b.Lines > 2*maxLines || b.From < -maxLines || b.From > b.FirstRow+maxLines || b.FirstRow-b.From < 0 || b.FirstRow+b.Rows > b.From+b.Lines {
			return fmt.Errorf("plan of echoes: block %d (%+v) does not continue the rows before it, or its rows are not among its lines", i, b)
		}
		if fft.Good(b.Lines) != b.Lines {
			return fmt.Errorf("plan of echoes: block %d has %d lines, a number that is not transformed here", i, b.Lines)
		}
		if n := p.memory(b.Lines); n > maxBlockBytes {
			return fmt.Errorf("plan of echoes: block %d needs %d bytes", i, n)
		}
		rows += b.Rows
	}
	if rows != p.Params.Lines {
		return fmt.Errorf("plan of echoes: its blocks have %d rows, the acquisition has %d lines", rows, p.Params.Lines)
	}
	return nil
}

func (p *Plan) checkCentroid() error {
	v := p.Params.EffectiveVelocityMS
	if v == 0 {
		return errors.New("plan of echoes: effective_velocity_m_s is 0: take it from the orbit first")
	}
	hz := p.Centroid.Hz
	if sine := (max(hz, -hz) + p.Params.PRFHz/2) * p.Params.Wavelength() / (2 * v); !(sine <= maxSine) {
		return fmt.Errorf("plan of echoes: a Doppler centroid of %v Hz is a beam too far along the track: correct doppler_centroid_hz, carrier_hz or effective_velocity_m_s", hz)
	}
	g := p.Params.geometry(hz)
	if degrees := g.phaseError(p.Params.Bandwidth()) * 180 / math.Pi; !(degrees <= maxPhaseError) {
		return fmt.Errorf("plan of echoes: with a Doppler centroid of %.0f Hz chirp scaling would be off by %.0f degrees at the ends of this swath and band, %d are possible: cut the swath (samples) into narrower ones", hz, degrees, maxPhaseError)
	}
	if !(g.drift() <= maxSamples) || p.width() == 0 {
		return fmt.Errorf("plan of echoes: with a Doppler centroid of %.0f Hz echoes would lie %.3g samples behind their range of closest approach, %d are possible: correct doppler_centroid_hz, effective_velocity_m_s or sampling_hz", hz, g.drift(), maxSamples)
	}
	if max(p.RowOffset, -p.RowOffset) > maxLines {
		return fmt.Errorf("plan of echoes: its row offset is %d", p.RowOffset)
	}
	return nil
}
