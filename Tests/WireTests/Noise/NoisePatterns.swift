import Wire

extension NoisePattern {
  /// The pattern of a name, modifiers included; nil where this table lacks it. Noise, section 7.
  static func named(_ name: String) -> NoisePattern? {
    let stem = String(name.prefix { !$0.isLowercase })
    let modifiers = name.dropFirst(stem.count).split(separator: "+")
    guard let base = all.first(where: { $0.name == stem }) else { return nil }
    let places = modifiers.compactMap { Int($0.dropFirst(3)) }
    return places.isEmpty ? base : base.withPreSharedKeys(at: places)
  }

  /// The one-way patterns and the twelve fundamental interactive ones.
  static let all: [NoisePattern] = [
    .nn, .xx,
    pattern("N", nil, .s, "e es"),
    pattern("K", .s, .s, "e es ss"),
    pattern("X", nil, .s, "e es s ss"),
    pattern("NK", nil, .s, "e es", "e ee"),
    pattern("NX", nil, nil, "e", "e ee s es"),
    pattern("XN", nil, nil, "e", "e ee", "s se"),
    pattern("XK", nil, .s, "e es", "e ee", "s se"),
    pattern("KN", .s, nil, "e", "e ee se"),
    pattern("KK", .s, .s, "e es ss", "e ee se"),
    pattern("KX", .s, nil, "e", "e ee se s es"),
    pattern("IN", nil, nil, "e s", "e ee se"),
    pattern("IK", nil, .s, "e es s ss", "e ee se"),
    pattern("IX", nil, nil, "e s", "e ee se s es"),
  ]

  private static func pattern(
    _ name: String, _ initiator: NoiseToken?, _ responder: NoiseToken?, _ messages: String...
  ) -> NoisePattern {
    NoisePattern(
      name, initiatorPremessage: initiator.map { [$0] } ?? [],
      responderPremessage: responder.map { [$0] } ?? [],
      messages.map { $0.split(separator: " ").compactMap { NoiseToken(rawValue: String($0)) } })
  }
}
