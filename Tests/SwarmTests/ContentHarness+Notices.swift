import Metainfo
import Store
import Testing

@testable import Swarm

/// What the content tells and wants, and what must hold of it.
extension ContentHarness {
  /// Takes all that the content has, as the core does.
  func takeAll() {
    while true {
      if let job = content.nextHashJob() {
        jobs.append(job)
      } else if let operation = content.nextOperation() {
        operations.append(operation)
      } else if let notice = content.nextNotice() {
        take(notice)
      } else {
        return
      }
    }
  }

  private func take(_ notice: ContentNotice) {
    switch notice {
    case .opened: noteWhatIsHere()
    case .verified(let block, _):
      check(held.values.contains { $0.block == block && $0.isRight }, "verified and wrong")
    case .stored(let block):
      check(isRightOnDisk(block), "stored and wrong: \(block)")
      standing[block] = .stored
    case .have(let piece):
      for block in fixture.geometry.blocks(of: piece) {
        check(isRightOnDisk(block), "a piece that is not whole: \(piece)")
      }
    case .failed(let block, let culprit):
      if let culprit { blame(culprit, for: { $0 == block }) }
      if standing[block] != .stored { standing[block] = .missing }
    case .suspected(let piece, let peers): suspect(peers, piece)
    case .culpritFound(let peer): blame(peer, for: { _ in true })
    case .missing(let block): standing[block] = .missing
    case .wantsHashes(let piece):
      check(fixture.geometry.kind.hasV2, "v1 has no hashes to ask for")
      wanted.insert(piece)
    case .lost(let ranges):
      for block in ranges.joined() where standing[block] == .stored && !content.isHere(block) {
        standing[block] = content.isClaimed(block) ? .received : .missing
      }
    case .read(let tag, let block, let buffer):
      check(reads.removeValue(forKey: tag) == block, "read what was not asked for")
      let bytes = fixture.bytes(of: block)
      check(disk.buffers[buffer.rawValue]?.starts(with: bytes) == true, "wrong bytes read")
      pool.give(buffer)
    case .unread(let tag, let block, let buffer):
      check(reads.removeValue(forKey: tag) == block, "read what was not asked for")
      pool.give(buffer)
    case .answer(let tag, let request, let response):
      check(answered[tag] == nil, "answered twice")
      check(response == nil || response?.request == request, "answers something else")
      answered[tag] = .some(response)
    case .release(let buffer):
      check(held.removeValue(forKey: buffer.rawValue) != nil, "released twice")
      disk.buffers[buffer.rawValue] = nil
    case .changed(let file):
      for block in fixture.geometry.blocks(of: file) where standing[block] == .received {
        if !content.isHere(block), !content.isClaimed(block) { standing[block] = .missing }
      }
    case .diskFailed, .acquitted: break
    case .full: wasFull += 1
    case .hasRoom: hadRoom += 1
    case .contradiction: contradictions += 1
    case .closed: closed = true
    }
  }

  private func noteWhatIsHere() {
    opened = true
    for block in fixture.blocks {
      if content.isHere(block) {
        standing[block] = .stored
        check(isRightOnDisk(block), "here at the start, and wrong: \(block)")
      } else if content.isClaimed(block) {
        standing[block] = .received
      }
    }
  }

  private func blame(_ culprit: ConnectionID, for isMeant: (BlockIndex) -> Bool) {
    let lies = liesTold[culprit.slot] ?? []
    check(lies.contains(where: isMeant), "blames \(culprit) for nothing")
    banned.insert(culprit.slot)
  }

  private func suspect(_ peers: [ConnectionID], _ piece: PieceIndex) {
    let liars = peers.filter { peer in
      liesTold[peer.slot]?.contains { fixture.geometry.piece(of: $0) == piece } ?? false
    }
    check(!liars.isEmpty, "suspects none but the honest")
    if peers.count == 1 { blame(peers[0], for: { fixture.geometry.piece(of: $0) == piece }) }
    for block in fixture.geometry.blocks(of: piece)
    where !content.isHere(block) && fixture.geometry.dataLength(of: block) > 0 {
      standing[block] = .missing
    }
  }

  func isRightOnDisk(_ block: BlockIndex) -> Bool {
    fixture.geometry.spans(of: block).allSatisfy { span in
      guard let file = span.file else { return true }
      let range = Int(span.offset)..<Int(span.offset + span.length)
      guard let bytes = disk.files[file], bytes.count >= range.upperBound else { return false }
      return bytes[range] == fixture.files[Int(file.rawValue)][range]
    }
  }
}
