package onnx

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrUnsafe says that a file asks for what no honest network needs: other files, endless loops, tensors
// beyond all bounds. No engine reads it.
var ErrUnsafe = errors.New("is not read by any engine")

// What a graph may have. The largest of the project's own has 1,900 nodes and 700 weights; transformers of
// 2 GiB have 30,000 of each.
const (
	maxNodes   = 200_000 // of all graphs together, functions as often as they are called
	maxTensors = 200_000
	maxNesting = 16      // graphs within graphs
	maxRank    = 32      // dimensions
	maxTurns   = 1 << 20 // of loops whose number is a constant, those within multiplied
	maxMade    = 1 << 28 // elements that an operator makes of a constant shape: 1 GiB of float32
	maxKept    = 64      // values of a constant that is looked up as a shape or a number of turns
)

// domains are the sets of operators that engines have. Others come with a library of their own, which is
// code that nobody here has seen.
var domains = []string{"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}

// CheckSafe looks through all of an ONNX file, in plain Go and before any engine sees it, for what would
// have an engine read other files, or compute or allocate without end. What it can't tell from the file
// alone, a trial in a process of its own finds out.
func CheckSafe(data []byte) error {
	c := safety{functions: map[string][]byte{}, costs: map[string]int{}}
	err := c.model(data)
	if err != nil && !errors.Is(err, ErrBroken) {
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	return err
}

type safety struct {
	nodes, tensors int
	functions      map[string][]byte // by domain and name
	costs          map[string]int    // of calling them, in nodes; -1 while it is being counted
}

// scope is what is known of the values in a graph and in those around it.
type scope struct {
	above *scope
	ints  map[string][]int64
	depth int
	turns int64 // how often all of it is done, as far as constants say
}

func (s *scope) find(name string) ([]int64, bool) {
	for ; s != nil; s = s.above {
		if v, ok := s.ints[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) within() *scope {
	return &scope{above: s, ints: map[string][]int64{}, depth: s.depth + 1, turns: s.turns}
}

func (c *safety) model(data []byte) error {
	graphs := 0
	err := parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case ModelGraph:
			graphs++
		case ModelFunctions:
			domain, name, err := functionKey(value)
			if err == nil {
				c.functions[domain+"/"+name] = value
			}
			return err
		}
		return nil
	})
	if err != nil || graphs != 1 {
		return ErrBroken // engines would add a second graph to the first
	}
	outside := &scope{ints: map[string][]int64{}, turns: 1}
	return parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case ModelGraph:
			return c.graph(value, outside.within())
		case ModelFunctions:
			return c.function(value, outside.within())
		case ModelTraining:
			return parts(value, func(num protowire.Number, value []byte) error {
				if num == TrainingInit || num == TrainingStep {
					return c.graph(value, outside.within())
				}
				return nil
			})
		}
		return nil
	})
}

func functionKey(data []byte) (domain, name string, err error) {
	err = parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case FunctionName:
			name = string(value)
		case FunctionDomain:
			domain = string(value)
		}
		return nil
	})
	return domain, name, err
}

func (c *safety) function(data []byte, s *scope) error {
	return parts(data, func(num protowire.Number, value []byte) error {
		if num == FunctionNode {
			return c.node(value, s)
		}
		return nil
	})
}

// graph looks at weights first: nodes name them, wherever they stand.
func (c *safety) graph(data []byte, s *scope) error {
	if s.depth > maxNesting {
		return fmt.Errorf("has graphs within graphs more than %d deep", maxNesting)
	}
	err := parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case GraphInitializer:
			name, ints, err := c.tensor(value)
			if err == nil && ints != nil {
				s.ints[name] = ints
			}
			return err
		case GraphSparse:
			return c.sparse(value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return parts(data, func(num protowire.Number, value []byte) error {
		if num == GraphNode {
			return c.node(value, s)
		}
		return nil
	})
}

// operator is what of a node matters here.
type operator struct {
	op, name, domain string
	inputs, outputs  []string
	ints             map[string][]int64 // attributes of whole numbers
	tensor           []int64            // values of its one tensor, where they are few
	graphs           [][]byte
}

func (n operator) String() string {
	name := n.name
	if name == "" && len(n.outputs) > 0 {
		name = n.outputs[0]
	}
	return fmt.Sprintf("operator %.40q (%.60q)", n.op, name)
}

func (c *safety) node(data []byte, s *scope) error {
	n := operator{ints: map[string][]int64{}}
	err := parts(data, func(num protowire.Number, value []byte) error {
		switch num {
		case NodeInput:
			n.inputs = append(n.inputs, string(value))
		case NodeOutput:
			n.outputs = append(n.outputs, string(value))
		case NodeName:
			n.name = string(value)
		case NodeOp:
			n.op = string(value)
		case NodeDomain:
			n.domain = string(value)
		case NodeAttribute:
			return c.attribute(value, &n)
		}
		return nil
	})
	if err != nil {
		if n.op != "" && !errors.Is(err, ErrBroken) {
			err = fmt.Errorf("%s: %w", n, err)
		}
		return err
	}
	cost := 1
	called, own := c.functions[n.domain+"/"+n.op]
	switch {
	case own:
		if cost, err = c.cost(n.domain+"/"+n.op, called); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	case !slices.Contains(domains, n.domain):
		return fmt.Errorf("%s is of %.60q, which no engine here has; known are %q and functions in the file", n, n.domain, domains)
	case n.op == "EPContext":
		return fmt.Errorf("%s has a network of another format inside, or in another file", n)
	}
	if c.nodes += cost; c.nodes > maxNodes {
		return fmt.Errorf("has more than %d operators", maxNodes)
	}
	s.learn(n)
	within := s.within()
	if err := n.bounds(s, within); err != nil {
		return fmt.Errorf("%s %w", n, err)
	}
	for _, g := range n.graphs {
		if err := c.graph(g, &scope{above: s, ints: map[string][]int64{}, depth: within.depth, turns: within.turns}); err != nil {
			return err
		}
	}
	return nil
}

// cost is how many nodes a function comes to where engines write it out; one that calls itself never ends.
func (c *safety) cost(key string, data []byte) (int, error) {
	switch known, ok := c.costs[key]; {
	case ok && known < 0:
		return 0, fmt.Errorf("function %.60q calls itself", key)
	case ok:
		return known, nil
	}
	c.costs[key] = -1
	total := 1
	err := c.calls(data, 0, func(called string) error {
		total++
		inner, own := c.functions[called]
		if !own {
			return nil
		}
		cost, err := c.cost(called, inner)
		if total += cost; err == nil && total > maxNodes {
			err = fmt.Errorf("function %.60q comes to more than %d operators", key, maxNodes)
		}
		return err
	})
	c.costs[key] = total
	return total, err
}

// calls tells every operator of a function, those in graphs of its operators as well.
func (c *safety) calls(data []byte, depth int, each func(key string) error) error {
	nodes := protowire.Number(GraphNode)
	if depth == 0 {
		nodes = FunctionNode
	}
	if depth > maxNesting {
		return fmt.Errorf("has graphs within graphs more than %d deep", maxNesting)
	}
	return nested(data, nodes, func(node []byte) error {
		var op, domain string
		err := parts(node, func(num protowire.Number, value []byte) error {
			switch num {
			case NodeOp:
				op = string(value)
			case NodeDomain:
				domain = string(value)
			case NodeAttribute:
				return parts(value, func(num protowire.Number, value []byte) error {
					if num == AttributeGraph || num == AttributeGraphs {
						return c.calls(value, depth+1, each)
					}
					return nil
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
		return each(domain + "/" + op)
	})
}

func (c *safety) attribute(data []byte, n *operator) error {
	var name string
	var ints []int64
	err := Fields(data, func(f Field) error {
		switch {
		case f.Num == AttributeName:
			name = string(f.Bytes)
		case f.Num == AttributeInt && f.Kind == protowire.VarintType:
			ints = []int64{int64(f.Number)}
		case f.Num == AttributeInts:
			ints = appendInts(ints, f)
		case f.Num == AttributeTensor || f.Num == AttributeTensors:
			_, few, err := c.tensor(f.Bytes)
			n.tensor = few
			return err
		case f.Num == AttributeSparse || f.Num == AttributeSparses:
			return c.sparse(f.Bytes)
		case f.Num == AttributeGraph || f.Num == AttributeGraphs:
			n.graphs = append(n.graphs, f.Bytes)
		}
		return nil
	})
	if ints != nil {
		n.ints[name] = ints
	}
	return err
}

func (c *safety) sparse(data []byte) error {
	return parts(data, func(num protowire.Number, value []byte) error {
		if num == SparseValues || num == SparseIndices {
			_, _, err := c.tensor(value)
			return err
		}
		return nil
	})
}
