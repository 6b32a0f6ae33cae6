package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
)

// run keeps one connection after the other until ctx ends.
func (m *Client) run(ctx context.Context, address *url.URL) {
	defer close(m.done)
	backoff := minBackoff
	short := 0 // connections in a row that did not last
	var faults telemetry.Faults
	var takeovers takeovers
	lost := true // what was logged last
	url := security.Redact(address.String())
	for ctx.Err() == nil {
		s, err := m.connect(ctx, address)
		if err != nil {
			takeovers.away()
			backoff = min(backoff, m.options.MaxPause)
			m.setProblem(err.Error())
		} else {
			if !takeovers.suspected() {
				m.setProblem("")
			}
			if lost {
				m.log.Info("connected to the MQTT broker", "url", url)
				lost = false
			}
			err = m.serve(ctx, s)
			lasted := time.Since(s.since)
			short++
			if lasted > steady {
				backoff, short = minBackoff, 0
			}
			if lasted >= takenWithin { // what came before is over, and logged anew should it come back
				faults.Mended()
			}
			if byPeer(s.why) && !s.underway && !answers(ctx, address) {
				takeovers.away()
			}
			switch {
			case ctx.Err() != nil:
			case takeovers.ended(lasted, s.why, s.underway):
				err = errors.New(takenOver(m.options.ClientID))
				backoff = takenBackoff
				m.setProblem(err.Error())
			case short == thrownOut:
				m.log.Warn("the MQTT broker ends each connection soon after it was made. Does another client connect under the same client id or certificate, as a copied card does, "+
					"does the broker's access list deny what is published, or is a message above its limit for packets?", "url", url)
				fallthrough
			default:
				m.setProblem(err.Error())
			}
		}
		if ctx.Err() != nil {
			return
		}
		if faults.New(err) {
			m.log.Warn("no connection to the MQTT broker; it is tried again", "url", url, telemetry.Err, err)
			lost = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		}
		backoff = min(2*backoff, max(m.options.MaxPause, backoff))
	}
}

// serve lets a session be used until it is lost or ctx ends.
func (m *Client) serve(ctx context.Context, s *session) error {
	m.mu.Lock()
	m.current = s
	subs := m.subs
	m.mu.Unlock()

	m.subscribe(s, subs)
	if m.options.OnUp != nil {
		m.options.OnUp()
	}
	var err error
	select {
	case <-s.lost:
		err = s.why
	case <-ctx.Done():
		err = ctx.Err()
	}
	m.mu.Lock()
	m.current = nil
	m.mu.Unlock()
	s.client.Disconnect(quiesce)
	s.end(err)
	if m.options.OnDown != nil {
		m.options.OnDown(err)
	}
	return err
}

// connect makes one connection and the MQTT handshake on it.
func (m *Client) connect(ctx context.Context, address *url.URL) (*session, error) {
	o, err := m.credentials(address)
	if err != nil {
		return nil, err
	}
	s := &session{turnTimeout: turnTimeout, turn: make(chan struct{}, 1), lost: make(chan struct{}), begun: make(chan struct{})}
	defer close(s.begun)
	if strings.HasPrefix(address.Scheme, "ws") {
		s.turnTimeout = progressTimeout // there it bounds each write as well; steadyConn sees to the others
	}
	o.AddBroker(address.String())
	o.SetClientID(m.options.ClientID)
	o.SetCleanSession(!m.options.Persistent)
	o.SetProtocolVersion(4) // MQTT 3.1.1
	o.SetKeepAlive(m.options.KeepAlive)
	o.SetPingTimeout(m.options.PingTimeout)
	o.SetConnectTimeout(connectTimeout)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetOrderMatters(true) // one goroutine hands on messages; otherwise one is started for each
	o.SetAutoAckDisabled(m.options.ManualAck)
	o.SetWriteTimeout(s.turnTimeout)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.end(err) })
	// The only handler, set before connecting: a broker sends again what was not acknowledged
	// before any subscription can be made.
	o.SetDefaultPublishHandler(func(_ paho.Client, msg paho.Message) { m.dispatch(s, msg) })
	o.SetCustomOpenConnectionFn(func(u *url.URL, o paho.ClientOptions) (net.Conn, error) {
		conn, err := m.open(ctx, u, o.TLSConfig)
		s.since = time.Now()
		if err == nil && m.options.ManualAck {
			conn = newBulkConn(conn)
		}
		if err == nil {
			s.cut = func() { conn.Close() }
		}
		return conn, err
	})
	if w := m.options.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	s.client = paho.NewClient(o)
	token := s.client.Connect()
	<-token.Done() // bounded: open by ctx and connectTimeout, the handshake by connectTimeout
	if err := token.Error(); err != nil {
		return nil, explain(err, m.options.Security.Encrypted())
	}
	if t, ok := token.(*paho.ConnectToken); ok && m.options.OnSession != nil {
		m.options.OnSession(t.SessionPresent())
	}
	return s, nil
}

// refusals are what brokers say of a client's certificate in the TLS handshake, and what that means.
var refusals = map[string]string{
	"tls: revoked certificate":           "the broker's list of revoked certificates has this one: enroll again with a new token, if that was a mistake",
	"tls: expired certificate":           "the broker says that this certificate has ended, or is not valid yet: renew it, or set the clock of the side that is wrong",
	"tls: certificate required":          "the broker lets in nobody without a certificate: set security.cert and security.key",
	"tls: unknown certificate authority": "the broker does not know the authority that signed this certificate: is it the listener of this kind, devices or services?",
	"tls: unsupported certificate":       "this certificate is not one for clients: a server's lets nobody in",
}

// explain adds what to do to the answers a broker gives to a stranger.
func explain(err error, encrypted bool) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: this machine's clock says %s: set it, or if it is right renew the broker's certificate", err, time.Now().UTC().Format(time.RFC3339))
	}
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: is ca the authority that signed the broker's certificate, and server_name the name in it?", err)
	}
	for said, means := range refusals {
		if strings.Contains(err.Error(), said) {
			return fmt.Errorf("%w: %s", err, means)
		}
	}
	// In TLS 1.3 the verdict on the client comes after its handshake, and is lost where the client's first
	// bytes meet a closed connection.
	if text := err.Error(); encrypted && (strings.Contains(text, "connection reset") || strings.Contains(text, "broken pipe") || strings.HasSuffix(text, "EOF")) {
		return fmt.Errorf("%w: a broker that ends a TLS connection at once mostly refuses the certificate (none, ended, revoked, of another authority): canvas-edge doctor and the broker's log say which", err)
	}
	return err
}

// subscribe asks the broker for topics. A broker that does not answer is left: without the
// subscription the connection would be silently deaf.
func (m *Client) subscribe(s *session, subs []subscription) {
	for _, sub := range subs {
		token := s.client.Subscribe(sub.filter, sub.qos, nil)
		select {
		case <-token.Done():
		case <-s.lost:
			return
		case <-time.After(connectTimeout):
			s.end(fmt.Errorf("the broker does not answer the subscription to %s", sub.filter))
			return
		}
		if t, ok := token.(*paho.SubscribeToken); ok && t.Result()[sub.filter] > 1 {
			m.log.Error("the MQTT broker refuses the subscription: is this user allowed to read the topic?", "filter", sub.filter)
			if m.options.OnRefused != nil {
				m.options.OnRefused(sub.filter)
			}
		} else if err := token.Error(); err != nil {
			s.end(fmt.Errorf("subscribing to %s: %w", sub.filter, err))
			return
		} else if sub.stands != nil && s.alive() {
			sub.stands()
		}
	}
}

// dispatch hands a message to the subscriptions it matches. One that comes before its subscription
// is made waits for it a little, at most once in the life of a connection.
func (m *Client) dispatch(s *session, msg paho.Message) {
	out := Message{
		Topic: msg.Topic(), Payload: msg.Payload(), QoS: msg.Qos(),
		Retained: msg.Retained(), Duplicate: msg.Duplicate(), Packet: msg.MessageID(), Ack: func() {},
	}
	if m.options.ManualAck {
		out.Ack = msg.Ack
	}
	<-s.begun
	var patience <-chan time.Time // made for the few that have to wait
	for {
		m.mu.Lock()
		subs, changed := m.subs, m.changed
		m.mu.Unlock()
		matched := false
		for _, sub := range subs {
			if Matches(sub.filter, out.Topic) {
				sub.handle(out)
				matched = true
			}
		}
		if matched {
			return
		}
		if patience == nil {
			patience = time.After(time.Until(s.since.Add(unmatchedPatience)))
		}
		select {
		case <-changed:
		case <-s.lost:
			return
		case <-patience:
			// An old session's subscription that nobody holds any more must not fill the window.
			m.log.Warn("a message of a topic without a subscription came; it is ignored", "topic", out.Topic)
			out.Ack()
			return
		}
	}
}

// unmatchedPatience is how long after connecting a message waits for its subscription.
const unmatchedPatience = 5 * time.Second

// credentials are paho's options with TLS, user and password, read from their files for each
// connection, so that renewed ones are taken up.
func (m *Client) credentials(address *url.URL) (*paho.ClientOptions, error) {
	o := paho.NewClientOptions()
	config, err := m.options.Security.TLS()
	if err != nil {
		return nil, err
	}
	if encryptedScheme(address.Scheme) {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if config.ServerName == "" {
			config.ServerName = address.Hostname()
		}
		o.SetTLSConfig(config)
	} else if config != nil {
		return nil, notEncrypted(address)
	}
	if m.options.Security.User != "" {
		password, err := m.options.Security.Password()
		if err != nil {
			return nil, err
		}
		o.SetUsername(m.options.Security.User)
		o.SetPassword(password)
	}
	return o, nil
}

// Check says why Dial would refuse an address, without reading any file.
func Check(address string, s security.Security) error {
	u, err := mqttAddress(address)
	if err != nil {
		return err
	}
	if s.Encrypted() && !encryptedScheme(u.Scheme) {
		return notEncrypted(u)
	}
	return nil
}

func encryptedScheme(scheme string) bool {
	return slices.Contains([]string{"mqtts", "ssl", "tls", "wss"}, scheme)
}

func notEncrypted(u *url.URL) error {
	return fmt.Errorf("%s is not encrypted although TLS is configured: use mqtts://", security.Redact(u.String()))
}

// mqttAddress is the URL with its port.
func mqttAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the broker's URL: %s", security.RedactText(err.Error()))
	}
	port := map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "tls": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	if port == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("the broker's URL %q must be mqtt://host:1883 or mqtts://host:8883", security.Redact(u.String()))
	}
	if u.User != nil {
		return nil, errors.New("the broker's URL holds a user: use user and password_file, which do not end up in logs")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}
