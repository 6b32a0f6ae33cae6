package kafka

import (
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/security"
)

func TestKafkaWithTLSAndUsers(t *testing.T) {
	k := brokertest.StartKafka(t)
	base := security.Security{CA: k.Certs.CA}
	mutual := base
	mutual.Cert, mutual.Key = k.Certs.ClientCert, k.Certs.ClientKey
	secureKafka(t, "client certificate", k.TLSBrokers, mutual, base)
	for _, mechanism := range []string{"", security.ScramSHA512, security.ScramSHA256, security.Plain} {
		user := base
		user.User, user.PasswordFile, user.Mechanism = brokertest.KafkaUser, brokertest.Secret(t, brokertest.KafkaPassword), mechanism
		wrong := user
		wrong.PasswordFile = brokertest.Secret(t, "wrong")
		secureKafka(t, "mechanism "+mechanism, k.SASLBrokers, user, wrong)
	}
}

func TestEmbeddedKafkaWithTLSAndUsers(t *testing.T) {
	certs := brokertest.Made(t)
	config, err := security.ServerTLS(certs.ServerCert, certs.ServerKey, "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Embed(t.TempDir(), EmbedOptions{TLS: config, Users: map[string]string{"canvas": "wide-canvas"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, mechanism := range []string{"", security.ScramSHA256, security.Plain} {
		user := security.Security{CA: certs.CA, User: "canvas", PasswordFile: brokertest.Secret(t, "wide-canvas"), Mechanism: mechanism}
		wrong := user
		wrong.PasswordFile = brokertest.Secret(t, "wrong")
		secureKafka(t, "mechanism "+mechanism, e.Brokers(), user, wrong)
	}
}

func secureKafka(t *testing.T, name string, brokers []string, right, wrong security.Security) {
	t.Run(name, func(t *testing.T) {
		k := dialKafka(t, Options{Brokers: brokers, Security: right})
		defer k.Close()
		topic := makeTopic(t, k, 1, nil)
		if err := k.Append(t.Context(), Record{Topic: topic, Value: []byte("sealed")}); err != nil {
			t.Fatal(err)
		}
		if n := len(scanAll(t, k, topic)); n != 1 {
			t.Errorf("%d records", n)
		}
		stranger := dialKafka(t, Options{Brokers: brokers, Security: wrong, Patience: 100 * time.Millisecond})
		defer stranger.Close()
		if n, err := stranger.Partitions(soon(t, 5*time.Second), topic); err == nil {
			t.Errorf("a stranger sees %d partitions", n)
		}
	})
}

func TestUnreadableSecretsAreToldAtOnce(t *testing.T) {
	for i, s := range []security.Security{{CA: "/nowhere"}, {User: "u", PasswordFile: "/nowhere"}, {User: "u", Mechanism: "kerberos"}} {
		if _, err := Dial(Options{Brokers: []string{"127.0.0.1:1"}, Security: s}); err == nil {
			t.Error("Kafka took", i)
		}
	}
}

func TestUnusableOptionsAreToldAtOnce(t *testing.T) {
	for name, o := range map[string]Options{"no broker": {}, "no port": {Brokers: []string{"localhost"}}} {
		if _, err := Dial(o); err == nil {
			t.Error(name, "was taken")
		}
	}
}
