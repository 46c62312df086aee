// The sample article in both languages. Every language has a discussion of its own.

import { el } from "./dom.js";
import { language, t } from "./texts.js";

export const MAIN = { ru: "veche-ru", en: "veche-en" };

const STORY = {
  ru: {
    kicker: "История",
    title: "Колокол, который решал: как спорило новгородское вече",
    lead: "Несколько веков подряд город на Волхове решал главные дела криком на площади. Получалось громко, долго и, как ни странно, довольно часто – разумно.",
    caption: "Вечевой колокол и городские главы. Рисунок для этой страницы.",
    text: [
      "Всё начиналось со звона. Вечевой колокол отличали от церковных: заслышав его, торговец запирал лавку, плотник откладывал топор, и улицы с обоих берегов реки стекались к Ярославову двору. Звонить мог почти любой, у кого хватало решимости, – но и отвечать за пустой звон приходилось перед всеми.",
      "Повестки не рассылали. О деле объявляли со степени, невысокого помоста, и дальше говорил тот, кого готовы были слушать. Голоса не считали: согласие узнавали на слух. Когда два крика оказывались равны, спор, бывало, переходил на мост, и тогда мирить стороны выходил владыка с крестом.",
      "Решало вече не мелочи. В 1136 году горожане указали князю дорогу из города и с тех пор приглашали князей по договору, где было записано, чего тому нельзя: владеть землёй в новгородских волостях, судить без посадника, раздавать должности по своей воле. Договор можно было расторгнуть – тем же звоном.",
      "Порядок держался не на одном крике. У концов и улиц были свои, меньшие веча, и к общему сходу приходили уже с мнением. Грамоты скрепляли печатями, а о том, сколько в городе умели писать, с 1951 года рассказывает береста: долги, жалобы, сватовство, уроки мальчика, который рисовал себя всадником.",
      "В 1478 году колокол сняли и увезли в Москву. Легенда говорит, что в дороге он сорвался с саней и рассыпался на мелкие бубенцы, которые потом звенели под дугами ямщиков. Проверить её нельзя, но она точно передаёт суть: большой голос можно разбить, однако он всё равно будет слышен – только станет множеством маленьких.",
      "У нынешних площадей нет колокола, и кричать на них не принято. Зато осталось старое затруднение: как услышать многих и не дать громкому заглушить разумного. Ниже – попытка нашего времени. Высказывайтесь.",
    ],
  },
  en: {
    kicker: "History",
    title: "The bell that decided: how Novgorod's veche argued",
    lead: "For several centuries a town on the Volkhov settled its great affairs by shouting in a square. It was loud, it was slow and, oddly enough, it was often sensible.",
    caption: "The veche bell and the town's domes. Drawn for this page.",
    text: [
      "It began with ringing. The veche bell did not sound like those of the churches: hearing it, a merchant locked his shop, a carpenter laid down his axe, and the streets of both banks flowed towards Yaroslav's Court. Almost anyone bold enough could ring it, but whoever rang for nothing answered for it before everybody.",
      "There was no agenda. The matter was called out from a low platform, and then spoke whoever the crowd would listen to. Voices were not counted: agreement was judged by ear. When two shouts were equal the quarrel might move to the bridge, and the archbishop would walk out with a cross to part the sides.",
      "What it decided was not small. In 1136 the townspeople showed their prince the road, and from then on princes came by contract, and the contract said what a prince might not do: own land in Novgorod's country, judge without the mayor, hand out offices at will. A contract could be ended, too, by the same bell.",
      "Shouting was not all that held it together. Quarters and streets had smaller assemblies of their own, and came to the great one with a view already formed. Charters were sealed; and how many could write we have known since 1951 from birch bark: debts, complaints, courtship, the lessons of a boy who drew himself as a horseman.",
      "In 1478 the bell was taken down and carted to Moscow. Legend has it that it slipped from the sledge on the way and broke into little bells, the ones that coachmen's horses wore ever after. Nobody can check that, but it says something true: a great voice can be broken and still be heard, as a multitude of small ones.",
      "Today's squares have no bell, and shouting in them is frowned upon. The old difficulty is still here, though: how to hear the many without letting the loud drown out the wise. Our own time's attempt is below. Speak up.",
    ],
  },
};

// Shows the article, with the strip under its title; `title(strip)` names an article without text.
export function renderStory(place, discussion, strip) {
  const story = Object.values(MAIN).includes(discussion) ? STORY[language] : null;
  const heading = el("h1", {}, story?.title ?? "…");
  place.lang = language;
  place.replaceChildren(
    el("p", { class: "kicker" }, story?.kicker ?? t("sample")),
    heading,
    strip,
    el("p", { class: "lead" }, story?.lead ?? t("otherLead")),
  );
  if (story) {
    document.title = story.title;
    place.append(
      el(
        "figure",
        {},
        el("img", { src: "/static/novgorod.svg", alt: "", width: 1200, height: 480 }),
        el("figcaption", {}, story.caption),
      ),
      ...story.text.map((paragraph) => el("p", {}, paragraph)),
    );
  }
  return {
    title(described) {
      if (story) return;
      heading.textContent = described.title;
      heading.lang = described.language;
      document.title = described.title;
    },
  };
}
