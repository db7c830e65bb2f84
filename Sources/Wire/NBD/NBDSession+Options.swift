/// The negotiation: options and their answers. Sections "Option types" and "Option reply types".
extension NBDSession {
  mutating func takeOptionHead(_ head: RawSpan) throws(NBDError) -> NBDEvent? {
    let magic: UInt64 = head.number(at: 0)
    guard magic == NBDMagic.option else { throw broken(.optionMagic(magic)) }
    let number: UInt32 = head.number(at: 8)
    let length: UInt32 = head.number(at: 12)
    let option = NBDOption(rawValue: number)
    // Whatever comes of it, the contexts that were chosen before are chosen no more.
    if option == .setMetaContext { contexts = [] }
    if isShuttingDown, option != .abort, option != .exportName {
      return try refuse(number, length, .shuttingDown, "the server is shutting down")
    }
    switch option {
    case nil: return try refuse(number, length, .unsupported, "unknown option")
    case .startTLS where length == 0: return try refuse(number, length, .unsupported, "no TLS here")
    case .abort:
      try skip(UInt64(length), then: .abort)
      return .goodbye
    case .list, .structuredReply, .extendedHeaders, .startTLS:
      guard length == 0 else {
        return try refuse(number, length, .invalid, "this option has no data")
      }
    case .exportName:
      guard style != .extended else { throw broken(.exportNameAfterExtendedHeaders) }
      guard length <= NBDLimits.stringBytes else { throw broken(.exportName(length)) }
    case .info, .go, .listMetaContext, .setMetaContext:
      guard length <= NBDLimits.optionBytes else {
        return try refuse(number, length, .tooBig, "too much data")
      }
    }
    guard let option else { return nil }
    if length == 0 { return takeOption(option, []) }
    state = .optionData(option, Int(length))
    return nil
  }

  /// Refuses an option when its data has been stepped over.
  private mutating func refuse(
    _ option: UInt32, _ length: UInt32, _ refusal: NBDRefusal, _ text: String
  ) throws(NBDError) -> NBDEvent? {
    try skip(UInt64(length), then: .option(option, refusal, text))
    return nil
  }

  /// An option with all its data.
  mutating func takeOption(_ option: NBDOption, _ data: [UInt8]) -> NBDEvent? {
    state = .optionHead
    var reader = NBDOptionReader(data)
    switch option {
    case .list:
      state = .asking(.list)
      return .list
    case .exportName:
      state = .asking(.exportName(name: data))
      return .export(name: data, .transmission)
    case .structuredReply:
      switch style {
      case .simple: accept(.structured, option)
      case .structured: refuse(option, .invalid, "structured replies are agreed on already")
      case .extended:
        refuse(option, .extendedHeadersRequired, "extended headers are agreed on already")
      }
    case .extendedHeaders:
      if style == .extended {
        refuse(option, .invalid, "extended headers are agreed on already")
      } else {
        accept(.extended, option)
      }
    case .info, .go:
      guard let name = reader.string32(), let wanted = reader.informationRequests() else {
        refuse(option, .invalid, "the lengths in this option contradict each other")
        return nil
      }
      state = .asking(.information(option, name: name, wanted: wanted))
      return .export(name: name, option == .go ? .transmission : .information)
    case .listMetaContext, .setMetaContext: return takeContextQuery(option, &reader)
    case .abort, .startTLS: break
    }
    return nil
  }

  private mutating func accept(_ style: NBDReplyStyle, _ option: NBDOption) {
    self.style = style
    reply(to: option.rawValue, NBDOptionReply.ack)
  }

  private mutating func takeContextQuery(
    _ option: NBDOption, _ reader: inout NBDOptionReader
  ) -> NBDEvent? {
    guard style != .simple else {
      refuse(option, .invalid, "structured replies must be agreed on first")
      return nil
    }
    switch reader.contextQuery() {
    case nil: refuse(option, .invalid, "the lengths in this option contradict each other")
    case .tooMany: refuse(option, .tooBig, "more than \(NBDLimits.queries) queries")
    case .noNamespace: refuse(option, .invalid, "a query has no namespace")
    case .query(let name, let queries):
      let found = NBDContext.allCases.filter { context in
        if option == .listMetaContext, queries.isEmpty { return true }
        return queries.contains { query in
          query.elementsEqual(context.name.utf8)
            || option == .listMetaContext && query.elementsEqual(context.wildcard.utf8)
        }
      }
      state = .asking(.contexts(option, name: name, found))
      return .export(name: name, .contexts)
    }
    return nil
  }
}

// MARK: - What the owner answers

extension NBDSession {
  /// Answers `NBDEvent.list`. Names that nobody could ask for are left out.
  public mutating func answerList(_ exports: some Sequence<NBDListing>) {
    guard case .asking(.list) = state else { return }
    let option = NBDOption.list.rawValue
    for export in exports where export.name.count <= NBDLimits.stringBytes {
      let description = Self.text(export.description, limit: NBDLimits.stringBytes)
      reply(to: option, NBDOptionReply.server, 4 + export.name.count + description.count)
      output.append(number: UInt32(export.name.count))
      output += export.name
      output += description
    }
    reply(to: option, NBDOptionReply.ack)
    state = .optionHead
  }

  /// Answers `NBDEvent.export`.
  public mutating func answerExport(_ answer: NBDExportAnswer) {
    guard case .asking(let question) = state else { return }
    state = .optionHead
    switch question {
    case .list: state = .asking(.list)
    case .exportName(let name):
      guard case .export(let export) = answer, !isShuttingDown else {
        // There is no answer that says no.
        state = .closing
        return
      }
      output.append(number: export.size)
      output.append(number: transmissionFlags)
      if !omitsZeroes { output += repeatElement(0, count: 124) }
      transmit(export, askedAs: name)
    case .information(let option, let name, let wanted):
      guard let export = check(answer, option) else { return }
      inform(export, option, wanted)
      if option == .go { transmit(export, askedAs: name) }
    case .contexts(let option, let name, let found):
      guard check(answer, option) != nil else { return }
      for context in found {
        reply(to: option.rawValue, NBDOptionReply.metaContext, 4 + context.name.utf8.count)
        output.append(number: option == .setMetaContext ? context.rawValue : 0)
        output += context.name.utf8
      }
      reply(to: option.rawValue, NBDOptionReply.ack)
      if option == .setMetaContext { (contexts, contextsExport) = (found, name) }
    }
  }

  /// The export, or nil when the client has been told that there is none.
  private mutating func check(_ answer: NBDExportAnswer, _ option: NBDOption) -> NBDExport? {
    if isShuttingDown {
      refuse(option, .shuttingDown, "the server is shutting down")
      return nil
    }
    switch answer {
    case .export(let export): return export
    case .unknown(let text): refuse(option, .unknownExport, text)
    case .refused(let text): refuse(option, .policy, text)
    }
    return nil
  }

  private mutating func inform(_ export: NBDExport, _ option: NBDOption, _ wanted: Set<UInt16>) {
    let number = option.rawValue
    reply(to: number, NBDOptionReply.info, 12)
    output.append(number: NBDInformation.export)
    output.append(number: export.size)
    output.append(number: transmissionFlags)
    if wanted.contains(NBDInformation.name), export.name.count <= NBDLimits.stringBytes {
      reply(to: number, NBDOptionReply.info, 2 + export.name.count)
      output.append(number: NBDInformation.name)
      output += export.name
    }
    if wanted.contains(NBDInformation.description), !export.description.isEmpty {
      let description = Self.text(export.description, limit: NBDLimits.stringBytes)
      reply(to: number, NBDOptionReply.info, 2 + description.count)
      output.append(number: NBDInformation.description)
      output += description
    }
    if wanted.contains(NBDInformation.blockSize) {
      reply(to: number, NBDOptionReply.info, 14)
      output.append(number: NBDInformation.blockSize)
      output.append(number: NBDLimits.minimumBlock)
      output.append(number: NBDLimits.preferredBlock)
      output.append(number: UInt32(NBDLimits.readBytes))
    }
    reply(to: number, NBDOptionReply.ack)
  }

  private var transmissionFlags: UInt16 {
    var flags = NBDTransmissionFlags.hasFlags | NBDTransmissionFlags.readOnly
    flags |= NBDTransmissionFlags.canMultiConnect | NBDTransmissionFlags.sendCache
    if style != .simple { flags |= NBDTransmissionFlags.sendDontFragment }
    return flags
  }

  private mutating func transmit(_ export: NBDExport, askedAs name: [UInt8]) {
    exportSize = export.size
    if name != contextsExport { contexts = [] }
    state = .request
  }
}

// MARK: - Replies to options

extension NBDSession {
  /// The head of a reply, and as much of its data as is said to follow.
  mutating func reply(to option: UInt32, _ type: UInt32, _ byteCount: Int = 0) {
    output.append(number: NBDMagic.optionReply)
    output.append(number: option)
    output.append(number: type)
    output.append(number: UInt32(byteCount))
  }

  mutating func refuse(_ option: UInt32, _ refusal: NBDRefusal, _ text: String) {
    let text = Self.text(text)
    reply(to: option, refusal.rawValue, text.count)
    output += text
  }

  private mutating func refuse(_ option: NBDOption, _ refusal: NBDRefusal, _ text: String) {
    refuse(option.rawValue, refusal, text)
  }
}
