package mqtt

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/security"
)

func TestMosquittoWithClientCertificateAndPassword(t *testing.T) {
	certs := brokertest.Made(t)
	users := filepath.Join(t.TempDir(), "users")
	makeUsers(t, users, "canvas", "wide-canvas")
	m := brokertest.StartMosquitto(t, "cafile "+certs.CA, "certfile "+certs.ServerCert, "keyfile "+certs.ServerKey,
		"require_certificate true", "allow_anonymous false", "password_file "+users)
	secureMQTT(t, m.URL, certs)
}

func TestEmbeddedMQTTWithClientCertificateAndPassword(t *testing.T) {
	certs := brokertest.Made(t)
	config, err := security.ServerTLS(certs.ServerCert, certs.ServerKey, certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Embed(EmbedOptions{TLS: config, Allow: func(user, password string) bool {
		return user == "canvas" && password == "wide-canvas"
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	secureMQTT(t, e.URL(), certs)
}

// secureMQTT publishes as the right user, and sees that none of the wrong ones gets in.
func secureMQTT(t *testing.T, url string, certs *brokertest.Certificates) {
	right := security.Security{
		CA: certs.CA, Cert: certs.ClientCert, Key: certs.ClientKey, ServerName: certs.ServerName,
		User: "canvas", PasswordFile: brokertest.Secret(t, "wide-canvas"),
	}
	got, handle := inbox()
	m := dialUp(t, Options{URL: url, Security: right}, "a/b", handle)
	if err := m.Publish(t.Context(), "a/b", 1, false, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if m := await(t, got, "the message"); string(m.Payload) != "sealed" {
		t.Errorf("%q", m.Payload)
	}
	for name, spoil := range map[string]func(*security.Security){
		"password":    func(s *security.Security) { s.PasswordFile = brokertest.Secret(t, "wrong") },
		"certificate": func(s *security.Security) { s.Cert, s.Key = "", "" },
		"authority":   func(s *security.Security) { s.CA = brokertest.Made(t).CA },
		"name":        func(s *security.Security) { s.ServerName = "other.test" },
	} {
		t.Run("wrong "+name, func(t *testing.T) {
			s := right
			spoil(&s)
			log, said := captured()
			m, err := Dial(t.Context(), Options{URL: url, Security: s, Log: log})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if line := await(t, said, "word of the refusal"); !strings.Contains(line, "no connection to the MQTT broker") || m.Connected() {
				t.Errorf("%s; connected: %v", line, m.Connected())
			}
		})
	}
	if _, err := Dial(t.Context(), Options{URL: strings.Replace(url, "mqtts", "mqtt", 1), Security: right}); err == nil {
		t.Error("TLS was configured, and the connection would have been plain")
	}
}

func TestListenersBeyondThisMachineNeedUsers(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if e, err := Embed(EmbedOptions{Addr: addr}); err == nil {
			e.Close()
			t.Error(addr, "was opened to everyone")
		} else if !strings.Contains(err.Error(), "users") {
			t.Error(err)
		}
	}
}

func TestUnreadableSecretsAreReportedAtOnce(t *testing.T) {
	if _, err := Dial(t.Context(), Options{URL: "mqtt://127.0.0.1:1", Security: security.Security{User: "u", PasswordFile: "/nowhere"}}); err == nil || !strings.Contains(fmt.Sprint(err), "/nowhere") {
		t.Error(err)
	}
}
