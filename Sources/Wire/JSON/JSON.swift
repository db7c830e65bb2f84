/// A JSON value whose members keep their order, so that the same result is the same text.
public enum JSON: Sendable {
  /// Nothing, or not known.
  case null
  /// A truth value.
  case bool(Bool)
  /// A whole number.
  case number(UInt64)
  /// A whole number that may be negative.
  case signed(Int64)
  /// Any other number: finite.
  case real(Double)
  /// A text.
  case text(String)
  /// Values in order.
  case list([JSON])
  /// Members in order. Their names differ.
  case object([(String, JSON)])

  /// A text, or null.
  public static func text(orNull text: String?) -> JSON { text.map { .text($0) } ?? .null }

  /// A number, or null.
  public static func number(orNull number: UInt64?) -> JSON { number.map { .number($0) } ?? .null }

  /// The value as text, two spaces a level.
  public var rendered: String {
    var text = ""
    render(into: &text, indent: "")
    return text
  }

  /// The value on one line.
  public var line: String {
    var text = ""
    render(into: &text, indent: nil)
    return text
  }

  /// `indent`: what every line begins with; nil for one line.
  private func render(into text: inout String, indent: String?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): text += String(value)
    case .signed(let value): text += String(value)
    case .real(let value): text += "\(value)"
    case .text(let value): Self.quote(value, into: &text)
    case .list(let values):
      Self.render(values, between: ("[", "]"), into: &text, indent: indent) {
        $1.render(into: &$0, indent: $2)
      }
    case .object(let members):
      Self.render(members, between: ("{", "}"), into: &text, indent: indent) {
        Self.quote($1.0, into: &$0)
        $0 += ": "
        $1.1.render(into: &$0, indent: $2)
      }
    }
  }

  private static func render<Element>(
    _ elements: [Element], between ends: (String, String), into text: inout String, indent: String?,
    _ each: (inout String, Element, String?) -> Void
  ) {
    text += ends.0
    for (index, element) in elements.enumerated() {
      if index > 0 { text += indent == nil ? ", " : "," }
      if let indent { text += "\n" + indent + "  " }
      each(&text, element, indent.map { $0 + "  " })
    }
    if let indent, !elements.isEmpty { text += "\n" + indent }
    text += ends.1
  }

  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // Those of Unicode too: a terminal obeys them.
      case _ where scalar.properties.generalCategory == .control:
        text += scalar.value < 0x10 ? "\\u000" : "\\u00"
        text += String(scalar.value, radix: 16)
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
