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
	t.Run("ZooKeeper", func(t *testing.T) {
		z := StartZooKeeper(t, 1)
		if !serving(z.Servers[0]) {
			t.Error("it does not serve")
		}
	})
}
