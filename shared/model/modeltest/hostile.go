package modeltest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SeenInTheFile are files whose fault can be told without running them: each by what it does. elsewhere is
// a file of the test's own that must not be read.
func SeenInTheFile(secret string) map[string][]byte {
	deep := graph{nodes: []message{one("Identity", "x", "o")}, outputs: []message{value("o", floats, nil)}}.encode()
	for range 40 {
		deep = graph{nodes: []message{node("If", []string{"t"}, []string{"o"}, graphAttribute("then_branch", deep), graphAttribute("else_branch", graph{
			nodes: []message{one("Identity", "x", "o")}, outputs: []message{value("o", floats, nil)}}.encode()))}, outputs: []message{value("o", floats, nil)}}.encode()
	}
	sub := graph{nodes: []message{one("Identity", "si", "so")}, weights: []message{elsewhere("si", secret, 1, labels)}, outputs: []message{value("so", bytes8, []int64{1, labels})}}.encode()
	function := message{}.text(1, "F").text(4, "i").text(5, "o").bytes(7, constant("c", elsewhere("c", secret, 1, labels))).bytes(7, one("Identity", "i", "o")).text(10, "own")
	endless := message{}.text(1, "F").text(4, "i").text(5, "o").bytes(7, one("F", "i", "o").text(7, "own")).text(10, "own")
	own := func(m message) message { return m.bytes(8, message{}.text(1, "own").number(2, 1)) }
	return map[string][]byte{
		"weights elsewhere":                 network(spread("c"), elsewhere("c", secret, 1, labels)),
		"a constant elsewhere":              network(append([]message{constant("c", elsewhere("c", secret, 1, labels))}, spread("c")...)),
		"a constant elsewhere, by a way up": network(append([]message{constant("c", elsewhere("c", strings.Repeat("../", 12)+"etc/passwd", 1, labels))}, spread("c")...)),
		"a constant that is missing":        network(append([]message{constant("c", elsewhere("c", "nosuch.bin", 1, labels))}, spread("c")...)),
		"a branch's weights elsewhere":      network(append([]message{constant("t", truth("t")), node("If", []string{"t"}, []string{"c"}, graphAttribute("then_branch", sub), graphAttribute("else_branch", sub))}, spread("c")...)),
		"sparse weights elsewhere":          file(graph{nodes: spread("c"), sparse: []message{message{}.bytes(1, elsewhere("c", secret, labels)).bytes(2, whole("i", 0)).number(3, 1).number(3, labels)}}),
		"a sparse attribute elsewhere":      network(append([]message{node("Constant", nil, []string{"c"}, message{}.text(1, "sparse_value").bytes(22, message{}.bytes(1, elsewhere("c", secret, labels))).number(20, 11))}, spread("c")...)),
		"a function's constant elsewhere":   file(graph{nodes: append([]message{one("F", "x", "f").text(7, "own")}, plain()...)}, own, func(m message) message { return m.bytes(25, function) }),
		"training weights elsewhere": file(graph{nodes: plain(), weights: tails()}, func(m message) message {
			return m.bytes(20, message{}.bytes(1, graph{weights: []message{elsewhere("c", secret, labels)}}.encode()))
		}),
		"a function that calls itself":       file(graph{nodes: append([]message{one("F", "x", "f").text(7, "own")}, plain()...), weights: tails()}, own, func(m message) message { return m.bytes(25, endless) }),
		"a loop of 2^62 turns":               network(loop("m"), append(tails(), scalar("m", 1<<62), truth("t"))...),
		"200,000 x 200,000":                  network(grow(constant("s", whole("s", 200_000, 200_000))), tails()...),
		"an operator of a library":           network([]message{one("Evil", "x", "y").text(7, "evil.ops")}),
		"branches 40 deep":                   network([]message{constant("t", truth("t")), node("If", []string{"t"}, []string{"d"}, graphAttribute("then_branch", deep), graphAttribute("else_branch", deep)), one("ReduceMean", "d", "m", intAttribute("keepdims", 0)), two("Expand", "m", "es", "y")}, tails()...),
		"weights that are not there":         network(plain(), append(tails(), tensor("w", floats, nil, 1<<40, 1<<20))...),
		"weights that are there in part":     network(plain(), append(tails(), tensor("w", floats, make([]byte, 16), 1000))...),
		"a negative shape":                   network(plain(), append(tails(), tensor("w", floats, nil, -5))...),
		"a context of another engine's file": network([]message{one("EPContext", "x", "y").text(7, "com.microsoft")}),
	}
}

// SeenOnTrial are files whose fault shows when they run.
func SeenOnTrial() map[string][]byte {
	square := func(root int64) []message { // root^2 x root^2, to be computed
		return grow(constant("a", whole("a", root, root)), two("Mul", "a", "a", "b"), two("Mul", "b", "one", "s"))
	}
	return map[string][]byte{
		"a loop without an end": network(loop(""), append(tails(), truth("t"))...),
		"2 GB":                  network(square(150), append(tails(), whole("one", 1))...),
		"160 GB":                network(square(450), append(tails(), whole("one", 1))...),
	}
}

// Honest is a small network that every engine runs.
func Honest() []byte { return network(plain(), tails()...) }

// tails are the weights that plain, loop and grow need.
func tails() []message { return []message{whole("es", 1, labels), whole("sh", 1)} }

// plain gives the mean, 64 times.
func plain() []message {
	return []message{one("ReduceMean", "x", "rm", intAttribute("keepdims", 0)), two("Expand", "rm", "es", "y")}
}

// spread gives 64 bytes as numbers: what was in the file shows in what comes out.
func spread(c string) []message {
	return []message{one("Cast", c, "cf", intAttribute("to", floats)), constant("scale", real32("scale", 1./256)), two("Mul", "cf", "scale", "cs"),
		one("ReduceMean", "x", "rm", intAttribute("keepdims", 0)), constant("z", real32("z", 0)), two("Mul", "rm", "z", "rz"), two("Add", "cs", "rz", "y")}
}

// loop adds one as often as m says, "" for ever.
func loop(m string) []message {
	body := graph{nodes: []message{one("Identity", "cin", "cout"), two("Add", "v", "inc", "vout")}, weights: []message{real32("inc", 1)},
		inputs:  []message{value("i", ints, []int64{}), value("cin", bools, []int64{}), value("v", floats, []int64{1})},
		outputs: []message{value("cout", bools, []int64{}), value("vout", floats, []int64{1})}}.encode()
	return []message{one("ReduceMean", "x", "rm", intAttribute("keepdims", 0)), two("Reshape", "rm", "sh", "v0"),
		node("Loop", []string{m, "t", "v0"}, []string{"vl"}, graphAttribute("body", body)), two("Expand", "vl", "es", "y")}
}

// grow makes a tensor of the shape s and takes its mean.
func grow(shape ...message) []message {
	return append(shape, one("ReduceMean", "x", "rm", intAttribute("keepdims", 0)), two("Expand", "rm", "s", "big"),
		one("ReduceMean", "big", "b1", intAttribute("keepdims", 0)), two("Expand", "b1", "es", "y"))
}

// Manifest is the model.yaml that belongs to all of them.
func Manifest(name string) string {
	names := make([]string, labels)
	for i := range names {
		names[i] = fmt.Sprintf("l%d", i)
	}
	return fmt.Sprintf("name: %s\ntask: classify\ninput: {colour: rgb, size: [%d, %d], fit: stretch, std: [255]}\noutput: {decoder: classes, activation: probabilities, labels: [%s]}\n",
		name, side, side, strings.Join(names, ", "))
}

// Write puts a model into a repository as a version and gives its folder.
func Write(t testing.TB, repository, name, version string, onnx []byte) string {
	t.Helper()
	dir := filepath.Join(repository, name)
	if err := os.MkdirAll(filepath.Join(dir, version), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{"model.yaml": []byte(Manifest(name)), version + "/model.onnx": onnx} {
		if err := os.WriteFile(filepath.Join(dir, path), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
