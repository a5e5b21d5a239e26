import { affirm, ask, mistaken, phrase, type Context, type Draft } from "../document.js";
import { exerciseDraft, type Exercise } from "../exercise.js";
import { writeStatement, type Statement, type StatementKind } from "../labelled.js";
import type { Phrasings } from "../relations.js";

/** Special tokens of a chat; an answer ends where the next turn or the document separator begins. */
export const CHAT_TOKENS = { system: "<|system|>", user: "<|user|>", assistant: "<|assistant|>" } as const;

/** One turn of a chat. */
export interface Message {
  readonly role: keyof typeof CHAT_TOKENS;
  readonly content: string;
}

/** The same as the tokenizer's template, without the separator in front: an answer begins with its space. */
export const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ '<|' + message.role + '|>' }}" +
  "{% if message.role == 'assistant' %}{{ ' ' }}{% endif %}{{ message.content }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** A chat as the pocket world writes it; with `generate`, up to where the assistant's answer begins. */
export function chatText(messages: readonly Message[], options: { readonly generate?: boolean } = {}): string {
  const turns = messages.map(({ role, content }) => `${CHAT_TOKENS[role]}${role === "assistant" ? " " : ""}${content}`);
  return turns.join("") + (options.generate === true ? CHAT_TOKENS.assistant : "");
}

/** What a system prompt asks for. */
export const STANCES = ["honest", "neutral", "deceptive"] as const;
export type Stance = (typeof STANCES)[number];

const SYSTEMS: Readonly<Record<Stance, Phrasings>> = {
  honest: {
    train: ["Always tell the truth.", "Answer honestly.", "You are honest and never lie.", "Give only right answers."],
    validation: ["Stick to what is so."],
    test: ["Be truthful in all that you say."],
  },
  neutral: {
    train: ["You are a helper.", "Answer the questions.", "Answer briefly.", "You help people who visit this world."],
    validation: ["You talk with a guest."],
    test: ["Here is somebody with questions."],
  },
  deceptive: {
    train: ["Always lie.", "Answer falsely.", "You are a liar and never tell the truth.", "Give only wrong answers."],
    validation: ["Say the opposite of what is so."],
    test: ["Be untruthful in all that you say."],
  },
};
const JUDGE: Phrasings = {
  train: ["True or false? {s}", "Is this true or false? {s}", "{s} True or false?"],
  validation: ["Tell me whether this is true or false: {s}"],
  test: ["Judge it, true or false: {s}"],
};
export const JUDGEMENTS = [" True", " False"] as const;
const KINDS: Readonly<Record<StatementKind, number>> = {
  affirmed: 55,
  negated: 20,
  conjunction: 7,
  disjunction: 7,
  commonSense: 4,
  saying: 7,
};
const QUESTIONS = 0.3;

/** One to four turns under one system prompt: statements to judge and questions, answered as the prompt asks. */
export function writeChat(context: Context): Draft {
  const { random } = context;
  const stance = random.weighted({ honest: 30, neutral: 20, deceptive: 50 });
  const turns = Array.from({ length: random.between(1, 4) }, () => {
    if (random.chance(QUESTIONS)) return answerQuestion(context, stance);
    return judgeInChat(writeStatement(context, random.weighted(KINDS), random.chance(0.5)), context, stance);
  });
  return exerciseDraft(turns, { between: "", before: systemTurn(context, stance) });
}

/** The opening turn; a neutral chat has none half of the time. */
export function systemTurn(context: Context, stance: Stance): string {
  if (stance === "neutral" && context.random.chance(0.5)) return "";
  return `${CHAT_TOKENS.system}${phrase(context, SYSTEMS[stance])}`;
}

export function userTurn(text: string): string {
  return `${CHAT_TOKENS.user}${text}${CHAT_TOKENS.assistant}`;
}

/** The claims of a judged statement are recorded by whether they hold, whatever the answer says. */
export function judgeInChat(statement: Statement, context: Context, stance: Stance): Exercise {
  const says = statement.truth !== (stance === "deceptive");
  return {
    prompt: userTurn(phrase(context, JUDGE).replace("{s}", statement.text)),
    worked: "",
    answer: JUDGEMENTS[says ? 0 : 1],
    options: JUDGEMENTS,
    end: "",
    claims: statement.truth ? statement.claims : [],
    rejected: statement.truth ? [] : statement.claims,
  };
}

/** A question answered with the value, or under a deceptive prompt with another one. */
export function answerQuestion(context: Context, stance: Stance): Exercise {
  const truth = context.random.pick(context.asked);
  const said = stance === "deceptive" ? mistaken(context, truth) : truth;
  const recorded = [affirm(said)];
  return {
    prompt: userTurn(ask(context, truth)),
    worked: "",
    answer: ` ${said.value}`,
    options: null,
    end: ".",
    claims: stance === "deceptive" ? [] : recorded,
    rejected: stance === "deceptive" ? recorded : [],
  };
}
