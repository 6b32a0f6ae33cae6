package identity

import "time"

// The enrolment of devices over HTTPS: JSON is posted to EnrollPath by a device that has a token, and to
// RenewPath by one that has a certificate, which it shows in the handshake.
const (
	EnrollPath = "/v1/enroll"
	RenewPath  = "/v1/renew"
)

// Bounds of the bodies, and of what stands in them.
const (
	MaxToken  = 128
	MaxAsk    = 32 << 10
	maxAnswer = 64 << 10
)

// Ask is what a device posts.
type Ask struct {
	Name    string `json:"name,omitempty"`
	Token   string `json:"token,omitempty"`
	Request string `json:"request"` // PEM
}

// Answer is what it gets.
type Answer struct {
	Certificate string    `json:"certificate,omitempty"` // PEM
	Error       string    `json:"error,omitempty"`
	Time        time.Time `json:"time"` // the authority's clock
}
