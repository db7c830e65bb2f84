import CNATPMP
import Discovery
import Glibc
import Metainfo
import Wire

/// Carries out a job by NAT-PMP with libnatpmp. Waits for the router, so it runs on the thread of
/// mapping.
struct NATPMPJob: ~Copyable {
  private let session: OpaquePointer
  private let deadline: Int64

  /// Asks what `job` says; ends within `MappingDriverLimits.natPMPMilliseconds` a job.
  static func run(_ job: MappingJob) -> Result<MappingAnswer, MappingFailure> {
    guard case .v4(let gateway) = job.gateway.address else {
      return .failure(.notOffered(.natPMP))
    }
    guard let session = cnatpmp_open(gateway.rawValue.bigEndian) else {
      return .failure(.system("libnatpmp: \(String(cString: strerror(errno)))"))
    }
    let asking = NATPMPJob(session)
    do {
      return .success(try asking.carryOut(job.work))
    } catch {
      return .failure(error)
    }
  }

  private init(_ session: OpaquePointer) {
    self.session = session
    deadline = monotonicMilliseconds() + MappingDriverLimits.natPMPMilliseconds
  }

  deinit { cnatpmp_close(session) }

  private func carryOut(_ work: MappingJob.Work) throws(MappingFailure) -> MappingAnswer {
    var answer = try externalAddress()
    switch work {
    case .probe: break
    case .map(let requests):
      for request in requests {
        do {
          answer.ports.append(try map(request, lifetime: request.lifetime, &answer.epoch))
        } catch {
          if error == .noAnswer { throw error }
          answer.ports.append(.refused(error))
        }
      }
    case .unmap(let requests):
      for request in requests { _ = try map(request, lifetime: 0, &answer.epoch) }
    }
    return answer
  }

  private func externalAddress() throws(MappingFailure) -> MappingAnswer {
    guard cnatpmp_ask_address(session) == 0 else { throw .system("libnatpmp cannot send") }
    let answer = try response(UInt16(cnatpmp_type_address.rawValue))
    let address = IPv4Address(rawValue: UInt32(bigEndian: answer.address))
    return MappingAnswer(externalAddress: .v4(address), epoch: answer.epoch)
  }

  private func map(
    _ request: PortRequest, lifetime: UInt32, _ epoch: inout UInt32?
  ) throws(MappingFailure) -> MappingAnswer.Port {
    let isTCP = request.wanted.transport == .tcp
    // RFC 6886, section 3.4: a removal names no external port.
    guard
      cnatpmp_ask_mapping(
        session, isTCP ? 1 : 0, request.wanted.port, lifetime == 0 ? 0 : request.externalPort,
        lifetime) == 0
    else { throw .system("libnatpmp cannot send") }
    let type = isTCP ? cnatpmp_type_tcp : cnatpmp_type_udp
    let answer = try response(UInt16(type.rawValue))
    guard answer.private_port == request.wanted.port else {
      throw .nonsense("NAT-PMP answers for port \(answer.private_port)")
    }
    epoch = answer.epoch
    return .granted(externalPort: answer.public_port, lifetime: answer.lifetime)
  }

  /// Waits for the answer; libnatpmp asks again by itself.
  private func response(_ type: UInt16) throws(MappingFailure) -> cnatpmp_answer {
    while true {
      let left = deadline - monotonicMilliseconds()
      guard left > 0 else { throw .noAnswer }
      var answer = cnatpmp_answer()
      let status = cnatpmp_status(
        rawValue: UInt32(bitPattern: cnatpmp_wait(session, Int32(clamping: left), &answer)))
      switch status {
      case cnatpmp_try_again: continue
      case cnatpmp_answered:
        guard answer.type == type else { throw .nonsense("NAT-PMP answers something else") }
        return answer
      case cnatpmp_not_there: throw .notOffered(.natPMP)
      case cnatpmp_no_answer: throw .noAnswer
      case cnatpmp_refused_1: throw .natPMP(code: 1)
      case cnatpmp_refused_2: throw .natPMP(code: 2)
      case cnatpmp_refused_3: throw .natPMP(code: 3)
      case cnatpmp_refused_4: throw .natPMP(code: 4)
      case cnatpmp_refused_5: throw .natPMP(code: 5)
      default: throw .nonsense("libnatpmp cannot read it")
      }
    }
  }
}

/// Milliseconds since any start.
func monotonicMilliseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}
