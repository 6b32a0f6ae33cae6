package edge

import (
	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
)

// radarManifest is the manifest of an acquisition before any of its blocks is decided on.
func radarManifest(info *capture.EchoesInfo) event.Manifest {
	plan := info.Plan
	p := plan.Params
	r := &event.Radar{
		Lines: p.Lines, Samples: p.Samples, Format: string(p.Format), Blocks: make([]event.RadarBlock, len(plan.Blocks)),
		CentroidHz: plan.Centroid.Hz, Ambiguity: plan.Centroid.Ambiguity, CentroidFrom: plan.Centroid.From, RowOffset: plan.RowOffset,
		RangeWindow: plan.Weights.Range, AzimuthWindow: plan.Weights.Azimuth,
		CarrierHz: p.CarrierHz, PRFHz: p.PRFHz, SamplingHz: p.SamplingHz, ChirpRateHzS: p.ChirpRateHzS, ChirpS: p.ChirpS,
		FirstRangeM: p.FirstSampleSlantRangeM, VelocityMS: p.EffectiveVelocityMS, SpeedOfLightMS: p.SpeedOfLightMS, FirstLine: p.FirstLine, AntennaLengthM: p.AntennaLengthM, CalibrationDB: p.CalibrationDB,
		StartTime: p.StartTime, LookSide: p.LookSide, Polarisation: p.Polarisation, Platform: p.Platform, Instrument: p.Instrument, Mode: p.Mode, Simulated: p.Simulated,
	}
	for i, b := range plan.Blocks {
		r.Blocks[i] = event.RadarBlock{Index: b.Index, FirstRow: b.FirstRow, Rows: b.Rows}
	}
	for _, v := range p.Orbit {
		r.Orbit = append(r.Orbit, event.RadarVector(v))
	}
	return event.Manifest{ID: info.ID, Width: p.Samples, Height: p.Lines, DataType: event.RadarDataType, Grid: event.RadarGrid(len(plan.Blocks)), Radar: r,
		FileBytes: info.FileBytes, Captured: info.Captured, Facts: info.Facts, Tiles: make([]event.TileDecision, 0, len(plan.Blocks))}
}
