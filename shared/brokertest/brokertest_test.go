package brokertest

import "testing"

func TestBrokersAnswerOnceStarted(t *testing.T) {
	t.Run("mosquitto", func(t *testing.T) {
		m := StartMosquitto(t)
		m.Kill()
		m.Restart()
	})
	t.Run("Kafka", func(t *testing.T) {
		if a, b := StartKafka(t), StartKafka(t); a != b {
			t.Error("the second call started a second broker")
		}
	})
	t.Run("Kafka by itself", func(t *testing.T) { // the second one is formatted by a copy
		for range 2 {
			k := StartOwnKafka(t)
			k.Kill()
			k.Restart(t)
		}
	})
	t.Run("ZooKeeper", func(t *testing.T) {
		z := StartZooKeeper(t, 1)
		if !serving(z.Servers[0]) {
			t.Error("it does not serve")
		}
		a, b := SharedZooKeeper(t), SharedZooKeeper(t)
		if a[0] != b[0] || a[0] == z.Servers[0] || !serving(a[0]) {
			t.Errorf("the shared server is %s, then %s", a[0], b[0])
		}
	})
}
