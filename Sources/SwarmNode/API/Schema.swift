import Wire

/// What a JSON value may be: told to clients in the OpenAPI document, and held against what they send. So
/// the document is true of what is taken.
indirect enum Schema: Sendable {
  /// Text of so many characters, which must look like `pattern` where there is one.
  case text(ClosedRange<Int> = 0...65_536, pattern: Pattern? = nil)
  /// A whole number.
  case number(ClosedRange<UInt64> = 0...UInt64(Int64.max))
  /// A whole number that may be negative.
  case signed
  case flag
  /// One of these texts.
  case choice([String])
  case list(Schema, atMost: Int? = nil)
  case object([Property])
  /// The value or null.
  case orNull(Schema)
  /// One that the document names.
  case named(String, Schema)
  /// Any object or list, described elsewhere.
  case free(String)

  /// A member of an object.
  struct Property: Sendable {
    let name: String
    let schema: Schema
    let note: String
    let isRequired: Bool

    init(_ name: String, _ schema: Schema, _ note: String, isRequired: Bool = true) {
      self.name = name
      self.schema = schema
      self.note = note
      self.isRequired = isRequired
    }
  }

  /// A pattern that we check ourselves.
  struct Pattern: Sendable {
    /// A regular expression of ECMA 262 that says the same.
    let expression: String
    let holds: @Sendable (String) -> Bool
  }

  // MARK: As JSON Schema

  /// The schema in JSON Schema's dialect of 2020-12, which OpenAPI 3.1 has.
  var json: JSON { .object(members) }

  private var members: [(String, JSON)] {
    switch self {
    case .text(let lengths, let pattern):
      var members: [(String, JSON)] = [("type", .text("string"))]
      if lengths.lowerBound > 0 {
        members.append(("minLength", .number(UInt64(lengths.lowerBound))))
      }
      if lengths.upperBound < 65_536 {
        members.append(("maxLength", .number(UInt64(lengths.upperBound))))
      }
      if let pattern { members.append(("pattern", .text(pattern.expression))) }
      return members
    case .number(let range):
      var members: [(String, JSON)] = [
        ("type", .text("integer")), ("minimum", .number(range.lowerBound)),
      ]
      if range.upperBound < UInt64(Int64.max) {
        members.append(("maximum", .number(range.upperBound)))
      }
      return members
    case .signed: return [("type", .text("integer"))]
    case .flag: return [("type", .text("boolean"))]
    case .choice(let names):
      return [("type", .text("string")), ("enum", .list(names.map { .text($0) }))]
    case .list(let element, let most):
      return [("type", .text("array")), ("items", element.json)]
        + (most.map { [("maxItems", JSON.number(UInt64($0)))] } ?? [])
    case .object(let properties): return Self.members(of: properties)
    case .orNull(let schema):
      return [("anyOf", .list([schema.json, .object([("type", .text("null"))])]))]
    case .named(let name, _): return [("$ref", .text("#/components/schemas/\(name)"))]
    case .free(let note): return [("description", .text(note))]
    }
  }

  private static func members(of properties: [Property]) -> [(String, JSON)] {
    let named = properties.map { property -> (String, JSON) in
      var members = property.schema.members
      if case .free = property.schema { members = [] }
      return (property.name, .object(members + [("description", .text(property.note))]))
    }
    let required = properties.filter(\.isRequired).map { JSON.text($0.name) }
    return [("type", .text("object")), ("properties", .object(named))]
      + (required.isEmpty ? [] : [("required", .list(required))])
  }

  /// The schema of what clients send: they may say nothing that is not read.
  var closed: JSON { .object(members + [("additionalProperties", .bool(false))]) }

  /// All that it names, itself included, as "name and schema".
  var names: [(String, Schema)] {
    switch self {
    case .list(let schema, _), .orNull(let schema): schema.names
    case .object(let properties): properties.flatMap(\.schema.names)
    case .named(let name, let schema): [(name, schema)] + schema.names
    default: []
    }
  }

  // MARK: What clients send

  /// What is wrong with a value: the place in it (RFC 6901) and why. nil where it is right.
  func fault(of value: JSON, at place: String = "") -> String? {
    let subject = place.isEmpty ? "the value" : place
    switch (self, value) {
    case (.text(let lengths, let pattern), .text(let text)):
      guard lengths.contains(text.unicodeScalars.count) else {
        return "\(subject) must have \(lengths.lowerBound) to \(lengths.upperBound) characters"
      }
      if let pattern, !pattern.holds(text) {
        return "\(subject) does not match \(pattern.expression)"
      }
      return nil
    case (.number(let range), .number(let number)):
      return range.contains(number)
        ? nil : "\(subject) must be \(range.lowerBound) to \(range.upperBound)"
    case (.signed, .number), (.signed, .signed), (.flag, .bool), (.free, _), (.orNull, .null):
      return nil
    case (.choice(let names), .text(let name)):
      return names.contains(name)
        ? nil : "\(subject) must be one of \(names.joined(separator: ", "))"
    case (.list(let element, let most), .list(let values)):
      if let most, values.count > most { return "\(subject) must have \(most) elements at most" }
      for (index, value) in values.enumerated() {
        if let fault = element.fault(of: value, at: "\(place)/\(index)") { return fault }
      }
      return nil
    case (.object(let properties), .object(let members)):
      return Self.fault(of: members, properties, at: place)
    case (.orNull(let schema), _), (.named(_, let schema), _):
      return schema.fault(of: value, at: place)
    default: return "\(subject) must be \(kind)"
    }
  }

  private static func fault(
    of members: [(String, JSON)], _ properties: [Property], at place: String
  ) -> String? {
    for (name, value) in members {
      guard let property = properties.first(where: { $0.name == name }) else {
        return "there is no \(place)/\(name)"
      }
      if let fault = property.schema.fault(of: value, at: "\(place)/\(name)") { return fault }
    }
    for property in properties
    where property.isRequired && !members.contains(where: { $0.0 == property.name }) {
      return "\(place)/\(property.name) is missing"
    }
    return nil
  }

  private var kind: String {
    switch self {
    case .text, .choice: "a text"
    case .number: "a whole number that is not negative"
    case .signed: "a whole number"
    case .flag: "true or false"
    case .list: "a list"
    case .object: "an object"
    case .orNull(let schema), .named(_, let schema): schema.kind
    case .free: "something"
    }
  }
}

extension Schema.Pattern {
  /// Lower-case hexadecimal digits, so many.
  static func digits(_ count: ClosedRange<Int>) -> Schema.Pattern {
    let counts =
      count.lowerBound == count.upperBound
      ? "\(count.lowerBound)" : "\(count.lowerBound),\(count.upperBound)"
    return Schema.Pattern(expression: "^[0-9a-f]{\(counts)}$") { text in
      count.contains(text.utf8.count)
        && text.utf8.allSatisfy {
          (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
    }
  }
}

extension Schema {
  /// A digest or key of so many digits.
  static func hex(_ digits: Int) -> Schema {
    .text(digits...digits, pattern: .digits(digits...digits))
  }
}

/// How values of a type are written, and what clients are told of it: one list for both.
struct Shape<Value>: Sendable {
  struct Field: Sendable {
    let property: Schema.Property
    let get: @Sendable (Value) -> JSON

    init(
      _ name: String, _ schema: Schema, _ note: String, _ get: @escaping @Sendable (Value) -> JSON
    ) {
      property = Schema.Property(name, schema, note)
      self.get = get
    }
  }

  let name: String
  let fields: [Field]

  init(_ name: String, _ fields: [Field]) {
    self.name = name
    self.fields = fields
  }

  func members(_ value: Value) -> [(String, JSON)] {
    fields.map { ($0.property.name, $0.get(value)) }
  }

  func json(_ value: Value) -> JSON { .object(members(value)) }

  var schema: Schema { .named(name, .object(fields.map(\.property))) }
}
