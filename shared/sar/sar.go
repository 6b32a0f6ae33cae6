// Package sar makes images of the raw echoes of a synthetic aperture radar: the chirp scaling algorithm of
// Cumming and Wong, Digital Processing of Synthetic Aperture Radar Data (2005), chapter 7.
//
//	FILE.yaml + echoes ─▶ Params ─▶ EstimateCentroid ─▶ Plan ─▶ Blocks ─▶ Focus ─▶ Image ─▶ Detect
//
// An acquisition is a matrix of complex samples: a line for each pulse (along track, azimuth), a sample for each
// range cell. Its image has the same number of rows and columns. Column c lies at the slant range of closest
// approach R0 = FirstSampleSlantRangeM + c · c0 / (2 · SamplingHz); row r lies at the zero-Doppler time
// (r + RowOffset) / PRFHz after the first line, where RowOffset is 0 without squint (see Plan).
//
// The image is made block by block: a block is a run of lines from which Focus makes a run of rows. Blocks depend
// on nothing but the plan and their own lines, so that any machine may make any of them, in any order, and all
// together are the same bytes.
//
// # Chirp scaling
//
// Numbers in parentheses are those of the book's equations. τ is the time since a pulse was sent, f a Doppler
// frequency, absolute: within half a PRF of the centroid, not of zero. A point with closest approach R0 is at the
// range R(η)² = R0² + V²η² (one effective velocity V for the acquisition), and its echo is
//
//	s(τ, η) = exp(-j4πR(η)/λ) · exp(jπK(τ - 2R(η)/c)²),   |τ - 2R(η)/c| ≤ T/2
//
// so that the pulse is centred at the delay of its range; with pulse_reference: start the image is shifted by T/2.
// With the cosine of the angle off broadside (7.17) and the chirp's rate in the range-Doppler domain (7.18), which
// holds the coupling of range and azimuth (secondary range compression), taken at the middle range Rm for all,
//
//	D = √(1 - c²f²/4V²f0²)      Km = K / (1 - K · cR0f²/2V²f0³D³)
//
// a block goes through
//
//	transform in azimuth
//	× exp(jπKm(1/D - 1)(τ - 2Rm/cD)²)                             (7.30) all ranges migrate alike; D at zero Doppler is 1
//	transform in range
//	× exp(jπDν²/Km) · exp(j4πν(1/D - 1)Rm/c)                      (7.32) compression, bulk migration
//	transform back in range
//	× exp(j4πf0(D - 1)R0/c) · exp(-j4πKm(1 - D)(R0 - Rm)²/c²D²)   (7.32) compression, what scaling has left
//	× exp(j2πf · RowOffset/PRF)                                   whole lines, see Plan
//	transform back in azimuth
//
// Unlike in (7.32) the carrier's own phase is left: a point of amplitude 1 has the phase -4πR0/λ at its place (the
// constants of stationary phase, ±π/4, are taken off). All factors are of modulus 1, so that noise keeps its power,
// but for the weights of the two bands, whose mean square is 1, and the soft ends of the band in azimuth.
//
// All three phases are quadratic in the row's index; they are made in double precision from coefficients of each row,
// whole turns taken off. Data is complex64.
package sar
