package mapping

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// mostWork limits what one evaluation of an expression may read, in bytes. A field counts
// each time that it is named; in a function over a list it counts once for each element. So
// no expression runs long or needs much memory. The limit depends only on the record, so a
// slow machine gives the same answer.
const mostWork = 16 << 20

// longestFilled limits a text with its holes filled in, in bytes.
const longestFilled = 4 << 20

// How many times longer matching a pattern takes than reading the text, for a fixed pattern
// and for one from the record.
const (
	patternWork    = 8
	ownPatternWork = 100
)

// cost is what the work of an expression depends on.
type cost struct {
	fields [][]string   // the fields that it names, once for each use
	loops  [][][]string // the fields in each function over a list
	splits int          // calls that turn a text into a list
	factor int          // how many times longer its operations take than reading the fields
}

// costOf returns the cost of a source; the zero cost if it does not parse.
func costOf(source string) (c cost) {
	tree, err := parser.Parse(source)
	if err != nil {
		return cost{}
	}
	c.factor = 1
	c.fields = occurrences(tree.Node)
	ast.Walk(&tree.Node, visitor(func(node ast.Node) {
		switch n := node.(type) {
		case *ast.PredicateNode:
			c.loops = append(c.loops, occurrences(n.Node))
		case *ast.CallNode:
			if name, ok := n.Callee.(*ast.IdentifierNode); ok && name.Value == "split" {
				c.splits++
			}
		case *ast.BuiltinNode:
			if n.Name == "split" {
				c.splits++
			}
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				c.factor = max(c.factor, patternWork)
				if _, literal := n.Right.(*ast.StringNode); !literal {
					c.factor = ownPatternWork
				}
			}
		}
	}))
	return c
}

// occurrences lists the fields that a node names, once for each use. A record that is used
// as a whole counts as a field.
func occurrences(node ast.Node) (found [][]string) {
	whole := map[string]int{}
	ast.Walk(&node, visitor(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			whole[n.Value]++
		case *ast.MemberNode:
			if path := pathOf(n); len(path) > 1 {
				found = append(found, path)
				if len(path) == 2 {
					whole[path[0]]--
				}
			}
		}
	}))
	for name, n := range whole {
		for range n {
			found = append(found, []string{name})
		}
	}
	return found
}

// errTooMuch means that an expression would read too much.
var errTooMuch = errors.New("the expression would take too long on this record: its texts or lists are too large for it")

// check fails if an evaluation would read too much.
func (c cost) check(env map[string]any) error {
	if len(c.fields) == 0 {
		return nil
	}
	sizes, longest := 0, c.splits*mostParts
	for _, path := range c.fields {
		size, elements := extent(lookUp(env, path), 0)
		sizes, longest = sizes+size, longest+elements
	}
	work := len(c.fields) * sizes
	for _, fields := range c.loops {
		each := 16
		for _, path := range fields {
			size, _ := extent(lookUp(env, path), 0)
			each += size * len(fields)
		}
		work += longest * each
	}
	if work*c.factor > mostWork {
		return errTooMuch
	}
	return nil
}

// extent returns the size of a value: the bytes of its texts, and its elements. Comparing a
// list with itself costs the square of its elements.
func extent(v any, depth int) (bytes, elements int) {
	const deepest = 20
	switch v := v.(type) {
	case string:
		return len(v), 0
	case []string:
		for _, s := range v {
			bytes += len(s)
		}
		elements = len(v)
	case []any:
		for _, e := range v {
			if b, _ := extent(e, depth+1); depth < deepest {
				bytes += b
			}
		}
		elements = len(v)
	case map[string]any:
		for k, e := range v {
			if b, _ := extent(e, depth+1); depth < deepest {
				bytes += len(k) + b
			}
		}
		return bytes, len(v)
	default:
		return 8, 0
	}
	return bytes + 16*elements + elements*elements/64, elements
}

// tooLong is the error for a text that became too long.
func tooLong() error {
	return fmt.Errorf("the text is longer than %d MiB", longestFilled>>20)
}
