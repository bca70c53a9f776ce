package draft

// Tested by file_test.go.

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bytes returns the file.
func (f *File) Bytes() []byte {
	p := &printer{file: f}
	p.comments(0, f.Head)
	set := f.Set.ProtoReflect()
	own := f.comments[At(f.Set)]
	if own != nil {
		p.comments(0, own.before)
	}
	if !p.fields(set, 0, true) {
		p.b = append(p.b, "{}\n"...) // an empty file would be an error
	}
	if own != nil {
		p.comments(0, own.after)
	}
	return p.b
}

// printer writes a file. Everything is written once, in the order in which it stands there.
type printer struct {
	file *File
	b    []byte
}

const step = 2 // columns of indentation

func (p *printer) indent(columns int) {
	for range columns {
		p.b = append(p.b, ' ')
	}
}

// gap leaves a line empty, but not at the beginning of the file.
func (p *printer) gap() {
	if len(p.b) > 0 {
		p.b = append(p.b, '\n')
	}
}

// fields writes the fields of a message that are set, and reports whether there are any. The first one stands where the
// line has begun already, behind a dash, unless the message is at the beginning of a line.
func (p *printer) fields(m protoreflect.Message, columns int, fresh bool) bool {
	some := false
	for _, fd := range inOrder(m) {
		at := Place{m.Interface(), string(fd.Name()), -1}
		c := p.commentOf(at)
		top := columns == 0
		if top && (some || len(p.file.Head) > 0) {
			p.gap()
		}
		if some || fresh {
			p.comments(columns, c.before)
			p.indent(columns)
		}
		p.b = append(p.b, fd.Name()...)
		p.b = append(p.b, ':')
		p.value(m, fd, at, c, columns)
		p.comments(columns, c.after)
		some = true
	}
	return some
}

// inOrder returns the fields that are set in the order in which they are written: as the proto has them, but what holds
// further places comes last.
func inOrder(m protoreflect.Message) []protoreflect.FieldDescriptor {
	var first, last []protoreflect.FieldDescriptor
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case !m.Has(fd):
		case m.Descriptor().Name() == "VirtualHost" && fd.Name() == "routes":
			last = append(last, fd)
		default:
			first = append(first, fd)
		}
	}
	return append(first, last...)
}

// value writes the value of a field behind its colon, and ends the line.
func (p *printer) value(m protoreflect.Message, fd protoreflect.FieldDescriptor, at Place, c *comment, columns int) {
	v := m.Get(fd)
	switch {
	case fd.IsMap():
		p.endLine(c.beside)
		p.entries(fd, v.Map(), columns+step)
	case fd.IsList() && fd.Message() != nil:
		p.endLine(c.beside)
		for i := range v.List().Len() {
			if i > 0 {
				p.between(columns + step)
			}
			p.item(v.List().Get(i).Message(), columns+step)
		}
	case fd.IsList():
		p.list(texts(fd, v.List()), at, c, columns)
	case fd.Message() != nil:
		if list := onlyList(fd.Message()); list != nil {
			p.list(texts(list, v.Message().Get(list).List()), at, c, columns)
			return
		}
		p.message(v.Message(), columns, c.beside)
	default:
		p.b = append(p.b, ' ')
		p.b = append(p.b, text(fd, v)...)
		p.endLine(c.beside)
	}
}

// between leaves a line empty between virtual hosts. Routes are short and stand close together.
func (p *printer) between(columns int) {
	if columns <= step {
		p.b = append(p.b, '\n')
	}
}

// message writes a message below a line that is not ended yet.
func (p *printer) message(m protoreflect.Message, columns int, beside string) {
	if len(inOrder(m)) == 0 {
		p.b = append(p.b, " {}"...)
		p.endLine(beside)
		return
	}
	p.endLine(beside)
	p.fields(m, columns+step, true)
}

// entries writes the entries of a map.
func (p *printer) entries(fd protoreflect.FieldDescriptor, entries protoreflect.Map, columns int) {
	for i, name := range p.names(fd, entries) {
		v := entries.Get(protoreflect.ValueOfString(name).MapKey())
		if i > 0 {
			p.b = append(p.b, '\n')
		}
		if fd.MapValue().Message() == nil {
			p.indent(columns)
			p.b = append(p.b, scalar(name)+": "+text(fd.MapValue(), v)...)
			p.endLine("")
			continue
		}
		at := At(v.Message().Interface())
		c := p.commentOf(at)
		p.comments(columns, c.before)
		p.indent(columns)
		p.b = append(p.b, scalar(name)+":"...)
		if list := onlyList(fd.MapValue().Message()); list != nil {
			p.list(texts(list, v.Message().Get(list).List()), at.Field(string(list.Name())), c, columns)
		} else {
			p.message(v.Message(), columns, c.beside)
		}
		p.comments(columns, c.after)
	}
}

// names returns the keys of a map in the order in which they are written.
func (p *printer) names(fd protoreflect.FieldDescriptor, entries protoreflect.Map) []string {
	left := map[string]bool{}
	entries.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		left[k.String()] = true
		return true
	})
	var names []string
	if fd.Name() == "policies" {
		for _, name := range p.file.Order {
			if left[name] {
				names = append(names, name)
				delete(left, name)
			}
		}
	}
	return append(names, slices.Sorted(maps.Keys(left))...)
}

// item writes a message behind a dash.
func (p *printer) item(m protoreflect.Message, columns int) {
	c := p.commentOf(At(m.Interface()))
	p.comments(columns, c.before)
	if c.beside != "" {
		p.comments(columns, []string{c.beside}) // it has no line of its own
	}
	fields := inOrder(m)
	if len(fields) > 0 { // what stands above its first field would come between the dash and the field
		p.comments(columns, p.commentOf(Place{m.Interface(), string(fields[0].Name()), -1}).before)
	}
	p.indent(columns)
	p.b = append(p.b, "- "...)
	if !p.fields(m, columns+step, false) {
		p.b = append(p.b, "{}\n"...)
	}
	p.comments(columns, c.after)
}

// list writes a list of texts behind a colon: in brackets where that is short and nothing is said of an entry, else an
// entry a line.
func (p *printer) list(entries []string, at Place, c *comment, columns int) {
	if p.inBrackets(entries, at, columns) {
		p.b = append(p.b, " ["...)
		p.b = append(p.b, strings.Join(entries, ", ")...)
		p.b = append(p.b, ']')
		p.endLine(c.beside)
		return
	}
	p.endLine(c.beside)
	for i, entry := range entries {
		c := p.commentOf(at.Entry(i))
		p.comments(columns+step, c.before)
		p.indent(columns + step)
		p.b = append(p.b, "- "+entry...)
		p.endLine(c.beside)
		p.comments(columns+step, c.after)
	}
}

// maxLine is how many columns a line has where it can be broken.
const maxLine = 110

func (p *printer) inBrackets(entries []string, at Place, columns int) bool {
	switch at.field {
	case "allow_origins", "deny_origins", "origins", "allow_origin_regexes":
		if len(entries) > 1 {
			return false // one a line, as each of them is reviewed
		}
	}
	width := columns + len(at.field) + len(": []")
	for i, entry := range entries {
		if width += len(entry) + len(", "); width > maxLine && len(entries) > 1 {
			return false
		}
		if p.file.comments[at.Entry(i)] != nil {
			return false
		}
	}
	return true
}

// texts returns the entries of a list as they are written.
func texts(fd protoreflect.FieldDescriptor, list protoreflect.List) []string {
	s := make([]string, list.Len())
	for i := range s {
		s[i] = text(fd, list.Get(i))
	}
	return s
}

// text returns a value that is no message as it is written.
func text(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return scalar(v.String())
	case protoreflect.BoolKind:
		return strconv.FormatBool(v.Bool())
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
		if value := values.ByNumber(v.Enum()); value != nil {
			return strings.TrimPrefix(string(value.Name()), prefix)
		}
	}
	return v.String()
}

// onlyList returns the field of a message that is written as a list: its only one.
func onlyList(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if fields := md.Fields(); fields.Len() == 1 && fields.Get(0).IsList() {
		return fields.Get(0)
	}
	return nil
}
