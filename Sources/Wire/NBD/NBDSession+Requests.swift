/// The transmission: what clients ask for. Section "Request types".
extension NBDSession {
  /// What is to be done about a request.
  private enum Verdict {
    case accept(NBDRequest.Kind)
    case refuse(NBDErrorCode, String)
    /// It is about no byte: there is nothing to do.
    case nothing
  }

  mutating func takeRequest(_ message: RawSpan) throws(NBDError) -> NBDEvent? {
    let magic: UInt32 = message.number(at: 0)
    guard magic == style.requestMagic else { throw broken(.requestMagic(magic)) }
    let length: UInt64 =
      style == .extended ? message.number(at: 24) : UInt64(message.number(at: 24) as UInt32)
    let head = Head(
      flags: message.number(at: 4), type: message.number(at: 6), cookie: message.number(at: 8),
      offset: message.number(at: 16), length: length)
    let command = NBDCommand(rawValue: head.type)
    if command == .disconnect {
      state = .closing
      return .goodbye
    }
    let saysPayload = head.flags & NBDCommandFlags.payloadLength != 0
    let hasPayload = style == .extended ? saysPayload : command == .write
    if hasPayload {
      let (code, text) =
        command == .write ? Self.readOnly : (.invalid, "this command has no payload")
      try skip(length, then: .request(head, code, text))
      return nil
    }
    switch verdict(command, head) {
    case .accept(let kind):
      return .request(
        flights.add(kind, (head.offset, length), cookie: head.cookie, owed: owed(kind, length)))
    case .refuse(let code, let text): writeError(code, text, at: nil, for: head.cookie, head.offset)
    case .nothing: writeSuccess(for: head.cookie, head.offset)
    }
    return nil
  }

  private static var readOnly: (NBDErrorCode, String) { (.notPermitted, "the export is read-only") }

  private func verdict(_ command: NBDCommand?, _ head: Head) -> Verdict {
    if isShuttingDown { return .refuse(.shuttingDown, "the server is shutting down") }
    switch command {
    case nil, .disconnect: return .refuse(.invalid, "unknown command")
    case .write where style == .extended: return .refuse(.invalid, "a write without its data")
    case .write, .flush, .trim, .writeZeroes:
      return .refuse(Self.readOnly.0, Self.readOnly.1)
    case .read:
      let allowed = style == .simple ? 0 : NBDCommandFlags.dontFragment
      if let fault = fault(head, allowedFlags: allowed) { return fault }
      guard head.length <= NBDLimits.readBytes else {
        return .refuse(style == .simple ? .invalid : .overflow, "too many bytes for one read")
      }
      return .accept(.read(isWhole: style == .simple || head.flags != 0))
    case .cache: return fault(head, allowedFlags: 0) ?? .accept(.cache)
    case .blockStatus:
      if contexts.isEmpty { return .refuse(.invalid, "no metadata context was chosen") }
      if head.length == 0 { return .refuse(.invalid, "the range is empty") }
      return fault(head, allowedFlags: NBDCommandFlags.requestOne)
        ?? .accept(.blockStatus(isOne: head.flags != 0))
    }
  }

  /// What is wrong with flags or range; or that the range is empty.
  private func fault(_ head: Head, allowedFlags: UInt16) -> Verdict? {
    if head.flags & ~allowedFlags != 0 {
      return .refuse(.invalid, "a flag that this command does not have")
    }
    guard head.offset <= exportSize, head.length <= exportSize - head.offset else {
      return .refuse(.invalid, "the range is not inside the export")
    }
    return head.length == 0 ? .nothing : nil
  }

  /// Bytes that the answer may have, at most about.
  private func owed(_ kind: NBDRequest.Kind, _ length: UInt64) -> Int {
    let small = 128
    switch kind {
    case .read: return small + Int(length)
    case .cache: return small
    case .blockStatus(let isOne):
      let runs = isOne ? 1 : min(length, UInt64(NBDLimits.statusRuns))
      return small + contexts.count * (40 + 16 * Int(runs))
    }
  }
}
