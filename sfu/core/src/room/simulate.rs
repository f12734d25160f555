//! Failures that an SDK's tests ask for.

use proto::{
    control::Event,
    ids::ParticipantSid,
    livekit::{
        DisconnectReason, SimulateScenario, leave_request::Action, simulate_scenario::Value,
    },
};

use crate::{
    context::Context,
    room::{Room, leave::Farewell, participant::Simulated},
};

impl Room {
    pub(super) fn on_simulate(
        &mut self,
        sid: ParticipantSid,
        scenario: &SimulateScenario,
        cx: &mut Context,
    ) {
        match &scenario.value {
            Some(Value::SpeakerUpdate(seconds)) => self.simulate_speaker(sid, *seconds, cx),
            Some(Value::NodeFailure(_) | Value::Migration(_)) => self.simulate_loss(sid, cx),
            Some(Value::ServerLeave(_)) => {
                self.dismiss(sid, Farewell::because(DisconnectReason::ServerShutdown), cx);
            }
            Some(Value::LeaveRequestFullReconnect(_)) => {
                let farewell = Farewell::because(DisconnectReason::UnknownReason);
                self.dismiss(sid, farewell.then(Action::Reconnect), cx);
            }
            Some(Value::DisconnectSignalOnResume(_)) => {
                self.simulate_at_resume(sid, Simulated::DisconnectOnResume);
            }
            Some(Value::DisconnectSignalOnResumeNoMessages(_)) => {
                self.simulate_at_resume(sid, Simulated::DisconnectOnResumeSilently);
            }
            // There is one transport protocol and no video to squeeze.
            Some(Value::SwitchCandidateProtocol(_) | Value::SubscriberBandwidth(_)) | None => {}
        }
    }

    /// As if this node had died: no word, no state.
    fn simulate_loss(&mut self, sid: ParticipantSid, cx: &mut Context) {
        if let Some(session) = self.participants.get(&sid).and_then(|it| it.presence.session) {
            cx.event(Event::Close { session });
        }
        self.remove(sid, DisconnectReason::UnknownReason, cx);
    }

    fn simulate_at_resume(&mut self, sid: ParticipantSid, simulated: Simulated) {
        if let Some(participant) = self.participants.get_mut(&sid) {
            participant.presence.simulated = simulated;
        }
    }
}
