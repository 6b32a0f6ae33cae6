package edge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/shared/identity"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
)

const (
	certificateLook = time.Hour      // between two looks at the certificate, which may be renewed meanwhile
	certificateSaid = 24 * time.Hour // between two lines about it, while it stands the same
)

// certificateState is how the device's certificate for the cloud stands, in canvas/stats.
type certificateState struct {
	Name    string    `json:"name"`
	Until   time.Time `json:"until"`
	Problem string    `json:"problem"` // that it ends soon, has ended, is another's, or the clock is wrong; empty: nothing is known against it
}

// misnamed is the state of a certificate under whose name the broker refuses what this device says.
const misnamed identity.State = -1

// certificate reads the device's certificate anew; nil: it has none that can be read.
func certificate(s security.Security, edge string, now time.Time) (*certificateState, identity.State) {
	if s.Cert == "" {
		return nil, identity.Good
	}
	cert, err := identity.ReadCertificate(s.Cert)
	if err != nil {
		return nil, identity.Good // said where the connection is made
	}
	state, words := identity.Assess(cert, now)
	if name := cert.Subject.CommonName; state == identity.Good && name != edge {
		state, words = misnamed, fmt.Sprintf("the certificate is of %q, this device is %s: a broker with the shipped files refuses what it sends", name, edge)
	}
	return &certificateState{Name: cert.Subject.CommonName, Until: cert.NotAfter, Problem: words}, state
}

// certificateWatch says in the log that the certificate ends soon, has ended or is not valid yet: once when
// that begins, and once a day.
type certificateWatch struct {
	security security.Security
	edge     string
	log      *slog.Logger
	last     identity.State
	said     time.Time
}

func (w *certificateWatch) run(ctx context.Context) {
	looks := time.NewTicker(certificateLook)
	defer looks.Stop()
	for {
		w.look(time.Now())
		select {
		case <-looks.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *certificateWatch) look(now time.Time) {
	c, state := certificate(w.security, w.edge, now)
	if c == nil || state == w.last && (state == identity.Good || now.Sub(w.said) < certificateSaid) {
		return
	}
	w.last, w.said = state, now
	if state == identity.Good {
		w.log.Info("the device's certificate is good again", "name", c.Name, "until", c.Until)
		return
	}
	w.log.Warn("the device's certificate needs attention: canvas-edge enroll --renew renews it, canvas-edge doctor says more", telemetry.Err, c.Problem, "until", c.Until)
}
