/// What a value is, for who reads it.
extension JSON {
  /// The value of a member; nil where there is none, or null.
  public subscript(name: String) -> JSON? {
    guard case .object(let members) = self, let member = members.first(where: { $0.0 == name })
    else { return nil }
    if case .null = member.1 { return nil }
    return member.1
  }

  /// The text; nil for anything else.
  public var text: String? { if case .text(let text) = self { text } else { nil } }
  /// The whole number that is not negative; nil for anything else.
  public var number: UInt64? { if case .number(let number) = self { number } else { nil } }
  /// The truth value; nil for anything else.
  public var flag: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  /// The values; nil for anything else.
  public var list: [JSON]? { if case .list(let list) = self { list } else { nil } }
}
