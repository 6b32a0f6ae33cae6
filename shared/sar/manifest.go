package sar

import "cloudcanvas/shared/event"

// PlanOf is what a manifest says of how the image was focused, for what depends on the geometry alone: it has no
// blocks.
func PlanOf(r *event.Radar) *Plan {
	p := &Plan{RowOffset: r.RowOffset, Centroid: Centroid{Hz: r.CentroidHz, Ambiguity: r.Ambiguity, From: r.CentroidFrom}}
	p.Params = Params{
		Format: Format(r.Format), Lines: r.Lines, Samples: r.Samples, CarrierHz: r.CarrierHz, PRFHz: r.PRFHz, SamplingHz: r.SamplingHz,
		ChirpRateHzS: r.ChirpRateHzS, ChirpS: r.ChirpS, FirstSampleSlantRangeM: r.FirstRangeM, EffectiveVelocityMS: r.VelocityMS, SpeedOfLightMS: r.SpeedOfLightMS,
		FirstLine: r.FirstLine, StartTime: r.StartTime, LookSide: r.LookSide, Polarisation: r.Polarisation, Platform: r.Platform, Instrument: r.Instrument,
		Mode: r.Mode, CalibrationDB: r.CalibrationDB, AntennaLengthM: r.AntennaLengthM, Simulated: r.Simulated,
	}
	for _, v := range r.Orbit {
		p.Params.Orbit = append(p.Params.Orbit, StateVector(v))
	}
	return p
}
